"""What a cache could save at most: with it, a step is a student's step on constant targets, and no teacher is there."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Bytes:
    """What lies in a device's memory because of a student's training, and because of its teacher."""

    base: int
    """Between steps without a teacher: the student's parameters and buffers, optimiser state, resident images, and what
    CUDA's matrix products keep."""
    teacher: int
    """The teacher's parameters and buffers."""
    student_step: int
    """What a step on constant targets takes on top of `base` at its peak: activations, then gradients."""
    teacher_forward: int
    """What the teacher's forward pass takes on top of all that lies there at its peak."""


def time_ceiling(teacher_ms: float, constant_ms: float) -> float:
    """(t + s) / s: live/cached, were a live step the forward pass t and the step s on constant targets, no more.

    A live step must do both, and a cached one at least s, so that live/cached reaches this value where reading the
    cache costs nothing.
    """
    return (teacher_ms + constant_ms) / constant_ms


def memory_ceiling(found: Bytes) -> float:
    """(b + T) / b of what is allocated between steps.

    Between steps there are no activations and no gradients (they are set to None): the live training holds b and the
    teacher's parameters T, the cached one at least b.
    """
    return (found.base + found.teacher) / found.base


def peak_memory_ceiling(found: Bytes) -> float:
    """(b + T + max(s, f)) / (b + s) of the peak.

    In a live step the teacher's forward pass (f, in inference mode, so that of its activations nothing stays but the
    targets) comes before the student's step (s); each is at its peak when the other holds nothing.
    """
    live = found.base + found.teacher + max(found.student_step, found.teacher_forward)
    return live / (found.base + found.student_step)

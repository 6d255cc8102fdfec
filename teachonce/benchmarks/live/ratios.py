"""Ratios of the arms' times, within the rounds that they were measured in."""

from collections.abc import Sequence
from dataclasses import dataclass

from teachonce.benchmarks.live.ceilings import time_ceiling
from teachonce.benchmarks.rounds import Ratio, paired_ratio

LIMIT = 1.1
"""A live step may take so many times its teacher's forward and the student's step; more would be a straw man."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """Milliseconds a step of each arm of a method, one value a round."""

    student_only: Sequence[float]
    constant: Sequence[float]
    cached: Sequence[float]
    live: Sequence[float]
    teacher: Sequence[float]
    """Its bare forward pass on a batch that is rendered already."""
    live_constant: Sequence[float]
    """The live arm's own method on constant targets; another than `constant` for clip-embed-kd."""


@dataclass(frozen=True, kw_only=True)
class TimeRatios:
    """Medians and quartiles of the rounds' own ratios."""

    speedup: Ratio
    """live / cached."""
    overhead_cache: Ratio
    """cached / constant: what reading the cache costs."""
    overhead_loss: Ratio
    """constant / student-only: what the loss costs."""
    time_ceiling: Ratio
    """(teacher + constant) / constant; see `time_ceiling`."""
    live_check: Ratio
    """live / (teacher + constant step of the live arm's method); see LIMIT."""

    @property
    def share_of_limit(self) -> float:
        """How much of what a cache could save was saved."""
        return self.speedup.median / self.time_ceiling.median

    @property
    def within(self) -> bool:
        """Whether the live arm is no straw man, nor faster than its parts."""
        return 2 - LIMIT <= self.live_check.median <= LIMIT


def time_ratios(times: Times) -> TimeRatios:
    """All ratios of a method."""
    ceilings = [time_ceiling(t, s) for t, s in zip(times.teacher, times.constant, strict=True)]
    parts = [t + s for t, s in zip(times.teacher, times.live_constant, strict=True)]
    return TimeRatios(
        speedup=paired_ratio(times.live, times.cached),
        overhead_cache=paired_ratio(times.cached, times.constant),
        overhead_loss=paired_ratio(times.constant, times.student_only),
        time_ceiling=paired_ratio(ceilings, [1.0] * len(ceilings)),
        live_check=paired_ratio(times.live, parts),
    )

"""What a method gets of the teacher, and what it says it needs: the same for cached and live targets."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a method needs beside the student's own output."""

    image_embedding: bool = False
    logits: bool = False
    class_mean: bool = False
    labels: bool = True

    @property
    def teacher(self) -> bool:
        """Whether it needs anything of a teacher at all."""
        return self.image_embedding or self.logits or self.class_mean


@dataclass(kw_only=True)
class Targets:
    """The teacher's side of one batch, in the stored dtype; methods detach it and compute in float32."""

    image_embedding: Tensor | None = None
    """(B, Dt)."""
    logits: Tensor | None = None
    """(B, C)."""
    class_mean: Tensor | None = None
    """(C, Dt): the mean embedding of each class; the same tensor for every batch."""


@dataclass(kw_only=True)
class StudentOut:
    """The student's side of one batch."""

    embedding: Tensor
    """(B, D)."""
    logits: Tensor
    """(B, C), never softmaxed."""

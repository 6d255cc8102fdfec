"""What a method gets of the teacher, and what it says it needs: the same for cached and live targets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from teachonce.types import PerClass, TargetSpec


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a method needs beside the student's own output."""

    image_embedding: bool = False
    logits: bool = False
    class_mean: bool = False
    labels: bool = True
    per_class: PerClass | None = None
    """The class means are over the first so many rows of each class; None: over those that the store says."""
    extras: tuple[str, ...] = ()
    """Targets beside the main one, by name; see `of_extra` for what is read of each."""

    @property
    def teacher(self) -> bool:
        """Whether it needs anything of a teacher at all."""
        return self.image_embedding or self.logits or self.class_mean or bool(self.extras)

    def of_extra(self, spec: TargetSpec) -> "Needs":
        """What is needed of one of the extras: the same, but an extra that has logits may have no embeddings.

        Class means are of the main target alone.
        """
        may_lack = self.logits and "image_embedding" not in spec.arrays
        return Needs(image_embedding=self.image_embedding and not may_lack, logits=self.logits, labels=self.labels)


@dataclass(kw_only=True)
class Targets:
    """The teacher's side of one batch, in the stored dtype; methods detach it and compute in float32."""

    image_embedding: Tensor | None = None
    """(B, Dt)."""
    logits: Tensor | None = None
    """(B, C)."""
    class_mean: Tensor | None = None
    """(C, Dt): the mean embedding of each class; the same tensor for every batch."""
    extras: Mapping[str, "Targets"] = field(default_factory=dict)
    """What the targets beside the main one have for the same rows, by name."""


@dataclass(kw_only=True)
class StudentOut:
    """The student's side of one batch."""

    embedding: Tensor
    """(B, D); what the head saw: behind the method's bottleneck, where it has one."""
    logits: Tensor
    """(B, C), never softmaxed."""

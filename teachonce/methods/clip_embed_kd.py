"""`clip-embed-kd`: students pulled toward the teacher's class means (CLIP-Embed-KD, arXiv 2404.06170)."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from teachonce.methods.contrast import Contrast, ContrastSettings
from teachonce.methods.losses import ce_loss, clip_embed_loss
from teachonce.methods.method import precise
from teachonce.methods.settings import require
from teachonce.methods.targets import StudentOut, Targets
from teachonce.types import PerClass

TIME_CLAIM, MEMORY_CLAIM = 8.0, 9.0
"""So many times less time and memory than with the live teacher, as the paper has it in one figure."""


@dataclass(frozen=True, kw_only=True)
class ClipEmbedSettings(ContrastSettings):
    """As ContrastSettings, with the rows that the class means are over."""

    per_class: PerClass | None = None
    """The first so many rows of each class, or `all`; absent: those of the store's own means (`embed --per-class`)."""

    def check(self, method: str) -> None:
        """See Settings.check."""
        super().check(method)
        if isinstance(self.per_class, int):
            require(self.per_class >= 1, f"{method}.per_class", self.per_class, "at least 1")


class ClipEmbedKd(Contrast):
    """Terms: `ce`, and `clip` = CE(scale * cos(student embedding, projected class means), label).

    It needs one mean embedding a class, nothing a sample; a class without rows has none (NaN), and no part in `clip`.
    Against its public code, as the paper has it: logits are not softmaxed before the cross-entropy, and the cosine is
    scaled.
    """

    name = "clip-embed-kd"
    needs = frozenset({"class_mean"})
    settings_type = ClipEmbedSettings
    settings: ClipEmbedSettings

    def __init__(self, settings: ClipEmbedSettings, extras: Sequence[str] = ()) -> None:
        super().__init__(settings, extras)
        self._mean = "class_mean" if settings.per_class is None else f"class_mean:{settings.per_class}"
        self.needs = frozenset({self._mean})

    def __call__(self, out: StudentOut, targets: Targets, labels: Tensor, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out.logits):
            given_means = targets[self._mean]
            absent = given_means.isnan().any(1)  # classes without a row
            known = given_means.masked_fill(absent[:, None], 0.0)
            student, means, scale = self.modules(out.embedding, known)
            return {
                "ce": ce_loss(out.logits, labels, label_smoothing=self.settings.label_smoothing),
                "clip": clip_embed_loss(student, means, labels, scale, absent=absent),
            }

"""`vanilla-kd`: the KD of CLIP-Embed-KD's public code (arXiv 2404.06170), as it is meant or as it runs."""

from dataclasses import dataclass

from torch import Tensor

from teachonce.methods.kd import Kd, KdSettings
from teachonce.methods.losses import ce_loss, soft_cross_entropy, widen
from teachonce.methods.method import precise
from teachonce.methods.targets import StudentOut, Targets


@dataclass(frozen=True, kw_only=True)
class VanillaSettings(KdSettings):
    """Defaults of that code: no temperature, weights 1 and 0.5."""

    temperature: float = 1.0
    """T, by which both sides' logits are divided; positive, no unit."""
    ce_weight: float = 1.0
    """Weight of the `ce` term."""
    kd_weight: float = 0.5
    """Weight of the `kd` term, which has no T^2."""
    double_softmax: bool = False
    """Pass the student's probabilities for its logits, as that code does: both terms softmax them again."""


class VanillaKd(Kd):
    """Terms: `ce`, and `kd` = the cross-entropy of the student's softmax with the teacher's.

    As it is meant, its gradient is that of `kd` with temperature 1 and the same weights: the terms differ by the
    entropy of the teacher's softmax, which does not depend on the student.
    """

    name = "vanilla-kd"
    settings_type = VanillaSettings
    settings: VanillaSettings

    def __call__(self, out: StudentOut, targets: Targets, labels: Tensor, step: int) -> dict[str, Tensor]:
        """See Method."""
        settings, teacher = self.settings, targets["logits"]
        with precise(out.logits):
            logits = widen(out.logits)
            logits = logits.softmax(1) if settings.double_softmax else logits
            return {
                "ce": ce_loss(logits, labels, label_smoothing=settings.label_smoothing),
                "kd": soft_cross_entropy(logits, teacher, temperature=settings.temperature),
            }

"""`vanilla-kd`: the KD of CLIP-Embed-KD's public code (arXiv 2404.06170), as it is meant or as it runs."""

from dataclasses import dataclass

from torch import Tensor

from teachonce.methods.losses import ce_loss, soft_cross_entropy, widen
from teachonce.methods.method import Method, given, precise, require_same_classes
from teachonce.methods.settings import Settings, require_weight
from teachonce.methods.targets import Needs, StudentOut, Targets
from teachonce.models.student import Student
from teachonce.types import TargetSpec


@dataclass(frozen=True, kw_only=True)
class VanillaSettings(Settings):
    """Defaults of that code: weights 1 and 0.5, no temperature."""

    ce_weight: float = 1.0
    """Weight of the `ce` term."""
    kd_weight: float = 0.5
    """Weight of the `kd` term."""
    double_softmax: bool = False
    """Pass the student's probabilities for its logits, as that code does: both terms softmax them again."""

    def check(self, method: str) -> None:
        """See Settings.check."""
        super().check(method)
        require_weight(f"{method}.ce_weight", self.ce_weight)
        require_weight(f"{method}.kd_weight", self.kd_weight)


class VanillaKd(Method):
    """Terms: `ce`, and `kd` = the cross-entropy of the student's softmax with the teacher's.

    As it is meant, its gradient is that of `kd` with temperature 1 and the same weights: the terms differ by the
    entropy of the teacher's softmax, which does not depend on the student.
    """

    name = "vanilla-kd"
    needs = Needs(logits=True)
    settings_type = VanillaSettings
    settings: VanillaSettings

    def make_weights(self) -> dict[str, float]:
        """See Method.make_weights."""
        return {"ce": self.settings.ce_weight, "kd": self.settings.kd_weight}

    def check(self, student: Student, spec: TargetSpec) -> None:
        """See Method.check."""
        require_same_classes(self.name, student, spec)

    def __call__(self, out: StudentOut, targets: Targets, labels: Tensor, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out.logits):
            logits = widen(out.logits)
            logits = logits.softmax(1) if self.settings.double_softmax else logits
            return {
                "ce": ce_loss(logits, labels, label_smoothing=self.settings.label_smoothing),
                "kd": soft_cross_entropy(logits, given(targets.logits)),
            }

"""`kd`: the teacher's softened logits beside the labels (Hinton et al., 2015, arXiv 1503.02531)."""

from dataclasses import dataclass

from torch import Tensor

from teachonce.methods.method import Base, given, precise, require_same_classes
from teachonce.methods.losses import ce_loss, kd_loss
from teachonce.methods.settings import Settings, positive, within
from teachonce.methods.targets import Needs, StudentOut, Targets
from teachonce.models.student import Student
from teachonce.types import TargetSpec


@dataclass(frozen=True, kw_only=True)
class KdSettings(Settings):
    """Defaults of mdistiller for CIFAR: T = 4, weights 0.1 and 0.9. For ImageNet T = 1, 0.5 and 0.5 are usual."""

    temperature: float = 4.0
    """T, by which both sides' logits are divided; positive, no unit."""
    ce_weight: float = 0.1
    """Weight of the `ce` term."""
    kd_weight: float = 0.9
    """Weight of the `kd` term (T^2 is part of the term)."""

    def check(self) -> None:
        """See Settings.check."""
        super().check()
        positive("kd.temperature", self.temperature)
        within("kd.ce_weight", self.ce_weight, 0.0)
        within("kd.kd_weight", self.kd_weight, 0.0)


class Kd(Base):
    """Terms: `ce`, and `kd` = T^2 KL(teacher || student)."""

    name = "kd"
    needs = Needs(logits=True)
    settings_type = KdSettings
    settings: KdSettings

    def make_weights(self) -> dict[str, float]:
        """See Base.make_weights."""
        return {"ce": self.settings.ce_weight, "kd": self.settings.kd_weight}

    def check(self, student: Student, spec: TargetSpec) -> None:
        """See Base.check."""
        require_same_classes(self.name, student, spec)

    def __call__(self, out: StudentOut, targets: Targets, labels: Tensor, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out.logits):
            return {
                "ce": ce_loss(out.logits, labels, label_smoothing=self.settings.label_smoothing),
                "kd": kd_loss(out.logits, given(targets.logits), temperature=self.settings.temperature),
            }

"""`kd`: the teacher's softened logits beside the labels (Hinton et al., 2015, arXiv 1503.02531)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from teachonce.methods.losses import ce_loss, kd_loss
from teachonce.methods.method import Method, main, precise, require_same_classes
from teachonce.methods.settings import Settings, require, require_weight
from teachonce.methods.targets import StudentOut, Targets
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
    """Weight of the `kd` term, which has T^2 inside."""

    def check(self, method: str) -> None:
        """See Settings.check."""
        super().check(method)
        require(0 < self.temperature < math.inf, f"{method}.temperature", self.temperature, "positive")
        require_weight(f"{method}.ce_weight", self.ce_weight)
        require_weight(f"{method}.kd_weight", self.kd_weight)


class Kd(Method):
    """Terms: `ce`, and `kd` = T^2 KL(teacher || student)."""

    name = "kd"
    needs = frozenset({"logits"})
    settings_type = KdSettings
    settings: KdSettings

    def make_weights(self) -> dict[str, float]:
        """See Method.make_weights."""
        return {"ce": self.settings.ce_weight, "kd": self.settings.kd_weight}

    def check(self, student: Student, specs: Mapping[str, TargetSpec]) -> None:
        """See Method.check."""
        require_same_classes(self.name, student, main(specs))

    def __call__(self, out: StudentOut, targets: Targets, labels: Tensor, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out.logits):
            return {
                "ce": ce_loss(out.logits, labels, label_smoothing=self.settings.label_smoothing),
                "kd": kd_loss(out.logits, targets["logits"], temperature=self.settings.temperature),
            }

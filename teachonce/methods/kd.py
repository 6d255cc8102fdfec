"""`kd`: the teacher's softened logits beside the labels (Hinton et al., 2015, arXiv 1503.02531).

L = w_ce CE(z^s, y) + w_kd T^2 KL(softmax(z^t / T) || softmax(z^s / T)). Needs: logits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor
from torch.nn import functional as F

from teachonce.methods.ce import labelled
from teachonce.methods.method import Method, main, require_same_classes
from teachonce.methods.settings import Settings
from teachonce.methods.targets import Inputs, Outputs, Targets
from teachonce.methods.tensors import precise, widen
from teachonce.models.student import Student
from teachonce.options.opt import Opt
from teachonce.options.search import Around, Span
from teachonce.types import TargetSpec

__all__ = ["Kd", "KdSettings", "kd"]


def kd(logits: Tensor, teacher_logits: Tensor, *, temperature: float) -> Tensor:
    """T^2 KL(p_T(z^t) || p_T(z^s)): sum over classes, mean over the batch, in nats (Hinton et al., 2015).

    The factor T^2 keeps the gradient's size when T changes. `batchmean`: the default mean of `kl_div` would divide by
    C as well.

    Args:
        logits: The student's, (B, C).
        teacher_logits: The teacher's, (B, C), classes in the same order.
        temperature: T > 0.
    """
    student = F.log_softmax(widen(logits) / temperature, dim=1)
    teacher = F.log_softmax(widen(teacher_logits.detach()) / temperature, dim=1)
    return F.kl_div(student, teacher, reduction="batchmean", log_target=True) * temperature**2


@dataclass(frozen=True, kw_only=True)
class KdSettings(Settings):
    """Defaults of mdistiller for CIFAR: T = 4, weights 0.1 and 0.9. For ImageNet T = 1, 0.5 and 0.5 are usual."""

    temperature: Annotated[
        float,
        Opt(help="T, by which both sides' logits are divided; no unit.", above=0, search=Span(1.0, 10.0, log=True)),
    ] = 4.0
    ce_weight: Annotated[float, Opt(help="Weight of the `ce` term.", min=0)] = 0.1
    kd_weight: Annotated[
        float, Opt(help="Weight of the `kd` term, which has T^2 inside.", min=0, search=Around(10.0))
    ] = 0.9


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

    def __call__(self, out: Outputs, targets: Targets, inputs: Inputs, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out["logits"]):
            return {
                **labelled(self, out["logits"], inputs),
                "kd": kd(out["logits"], targets["logits"], temperature=self.settings.temperature),
            }

"""`vanilla-kd`: the KD of CLIP-Embed-KD's public code (arXiv 2404.06170), as it is meant or as it runs.

L = w_ce CE(z^s, y) - w_kd sum_c softmax(z^t / T)_c log softmax(z^s / T)_c. Needs: logits.
"""

from dataclasses import dataclass
from typing import Annotated

from torch import Tensor
from torch.nn import functional as F

from teachonce.methods.ce import labelled
from teachonce.methods.kd import Kd, KdSettings
from teachonce.methods.targets import Inputs, Outputs, Targets
from teachonce.methods.tensors import precise, widen
from teachonce.options.opt import Opt
from teachonce.options.search import Around

__all__ = ["VanillaKd", "VanillaSettings", "vanilla_kd"]


def vanilla_kd(logits: Tensor, teacher_logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """-(1/B) sum_b sum_c p_T(z^t) log p_T(z^s), in nats; no T^2.

    What "vanilla KD" of the CLIP-Embed-KD repository means to compute (its code passes probabilities for logits).

    Args:
        logits: The student's, (B, C).
        teacher_logits: The teacher's, (B, C), classes in the same order.
        temperature: T > 0.
    """
    target = F.softmax(widen(teacher_logits.detach()) / temperature, dim=1)
    return -(target * F.log_softmax(widen(logits) / temperature, dim=1)).sum(1).mean()


@dataclass(frozen=True, kw_only=True)
class VanillaSettings(KdSettings):
    """Defaults of that code: no temperature, weights 1 and 0.5."""

    temperature: Annotated[float, Opt(help="T, by which both sides' logits are divided; no unit.", above=0)] = 1.0
    ce_weight: Annotated[float, Opt(help="Weight of the `ce` term.", min=0)] = 1.0
    kd_weight: Annotated[float, Opt(help="Weight of the `kd` term, which has no T^2.", min=0, search=Around(10.0))] = (
        0.5
    )
    double_softmax: Annotated[
        bool,
        Opt(help="Pass the student's probabilities for its logits, as that code does: both terms softmax them again."),
    ] = False


class VanillaKd(Kd):
    """Terms: `ce`, and `kd` = the cross-entropy of the student's softmax with the teacher's.

    As it is meant, its gradient is that of `kd` with temperature 1 and the same weights: the terms differ by the
    entropy of the teacher's softmax, which does not depend on the student.
    """

    name = "vanilla-kd"
    settings_type = VanillaSettings
    settings: VanillaSettings

    def __call__(self, out: Outputs, targets: Targets, inputs: Inputs, step: int) -> dict[str, Tensor]:
        """See Method."""
        settings = self.settings
        with precise(out["logits"]):
            logits = widen(out["logits"])
            logits = logits.softmax(1) if settings.double_softmax else logits
            return {
                **labelled(self, logits, inputs),
                "kd": vanilla_kd(logits, targets["logits"], temperature=settings.temperature),
            }

"""`dgkd`: the student learns from the teacher and all its assistants (Son et al., 2021, arXiv 2009.08825)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from teachonce.methods.losses import ce_loss
from teachonce.methods.method import Method, precise, require_same_classes
from teachonce.methods.settings import Settings, require, require_weight
from teachonce.methods.sources import divergences, keep_all_but, stacked
from teachonce.methods.targets import StudentOut, Targets
from teachonce.models.student import Student
from teachonce.types import TargetSpec


@dataclass(frozen=True, kw_only=True)
class DgkdSettings(Settings):
    """Defaults of the authors' code: lambda = 1 (no labels), T = 5, one source dropped in each batch."""

    temperature: float = 5.0
    """T, by which both sides' logits are divided; positive, no unit."""
    ce_weight: float = 0.0
    """Weight of the `ce` term, 1 - lambda."""
    kd_weight: float = 1.0
    """Weight of every divergence, lambda; each has T^2 inside."""
    drop: int = 1
    """How many of the sources (the teacher, the assistants) each batch leaves out; fewer than there are."""

    def check(self, method: str) -> None:
        """See Settings.check."""
        super().check(method)
        require(0 < self.temperature < math.inf, f"{method}.temperature", self.temperature, "positive")
        require(self.drop >= 0, f"{method}.drop", self.drop, "zero or positive")
        require_weight(f"{method}.ce_weight", self.ce_weight)
        require_weight(f"{method}.kd_weight", self.kd_weight)


class Dgkd(Method):
    """Terms: `ce`, `kl` = T^2 KL(teacher || student), and `kl_NAME` = T^2 KL(assistant || student) of each assistant.

    The loss is (1 - lambda) CE + lambda T^2 sum of the divergences of the sources that a batch keeps; exactly `drop`
    of them, drawn uniformly, are left out, and the teacher may be one. A term is zero where its source was left out.
    Against the public code, whose default mean of `KLDivLoss` divides by the classes too, a divergence is summed over
    classes, as the paper has it.
    """

    name = "dgkd"
    needs = frozenset({"logits"})
    settings_type = DgkdSettings
    settings: DgkdSettings
    takes = "assistants"
    needs_extras = True

    def __init__(self, settings: DgkdSettings, extras: Sequence[str] = ()) -> None:
        super().__init__(settings, extras)
        sources = len(self.extras) + 1
        require(settings.drop < sources, "dgkd.drop", settings.drop, f"below {sources}, the number of sources")

    def make_weights(self) -> dict[str, float]:
        """See Method.make_weights."""
        return {"ce": self.settings.ce_weight, **dict.fromkeys(kl_names(self.extras), self.settings.kd_weight)}

    def check(self, student: Student, specs: Mapping[str, TargetSpec]) -> None:
        """See Method.check."""
        for source in specs.values():
            require_same_classes(self.name, student, source)

    def __call__(self, out: StudentOut, targets: Targets, labels: Tensor, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out.logits):
            sources = stacked(of_sources(targets, "logits", self.extras))
            kl = divergences(out.logits, sources, temperature=self.settings.temperature).mean(1)
            if self.settings.drop:
                kl = kl * keep_all_but(self.settings.drop, len(kl), kl.device)[:, 0].to(kl.dtype)
            ce = ce_loss(out.logits, labels, label_smoothing=self.settings.label_smoothing)
            return {"ce": ce, **dict(zip(kl_names(self.extras), kl.unbind(), strict=True))}


def kl_names(extras: Sequence[str]) -> list[str]:
    """The names of the divergences: `kl` of the main target, `kl_NAME` of each extra."""
    return ["kl", *(f"kl_{name}" for name in extras)]


def of_sources(targets: Targets, signal: str, extras: Sequence[str]) -> list[Tensor]:
    """A signal of the main target, then of the extras in the order in which they were named."""
    return [targets[signal], *(targets[name, signal] for name in extras)]

"""`dgkd`: the student learns from the teacher and all its assistants (Son et al., 2021, arXiv 2009.08825).

L = w_ce CE(z^s, y) + w_kd T^2 sum_n KL(softmax(z^n / T) || softmax(z^s / T)) over the sources n that a batch keeps.
Needs: logits, of the teacher and of each assistant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from torch import Tensor

from teachonce.methods.ce import labelled
from teachonce.methods.method import Method, require_same_classes
from teachonce.methods.settings import Settings, require
from teachonce.methods.sources import divergences, keep_all_but, kl_names, of_sources
from teachonce.methods.targets import Inputs, Outputs, Targets
from teachonce.methods.tensors import precise, stacked
from teachonce.models.student import Student
from teachonce.options.opt import Opt
from teachonce.options.search import Span
from teachonce.types import TargetSpec

__all__ = ["Dgkd", "DgkdSettings"]


@dataclass(frozen=True, kw_only=True)
class DgkdSettings(Settings):
    """Defaults of the authors' code: lambda = 1 (no labels), T = 5, one source dropped in each batch."""

    temperature: Annotated[
        float,
        Opt(help="T, by which both sides' logits are divided; no unit.", above=0, search=Span(1.0, 10.0, log=True)),
    ] = 5.0
    ce_weight: Annotated[float, Opt(help="Weight of the `ce` term, 1 - lambda.", min=0, search=Span(0.0, 1.0))] = 0.0
    kd_weight: Annotated[float, Opt(help="Weight of every divergence, lambda; each has T^2 inside.", min=0)] = 1.0
    drop: Annotated[
        int,
        Opt(help="How many of the sources (teacher, assistants) each batch leaves out; fewer than there are.", min=0),
    ] = 1


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

    def __call__(self, out: Outputs, targets: Targets, inputs: Inputs, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out["logits"]):
            sources = stacked(of_sources(targets, "logits", self.extras))
            kl = divergences(out["logits"], sources, temperature=self.settings.temperature).mean(1)
            if self.settings.drop and self.modules.training:
                drawn = self.draws.uniform((len(kl),), step=step, purpose="sources", device=kl.device)
                kl = kl * keep_all_but(self.settings.drop, drawn).to(kl.dtype)
            own = labelled(self, out["logits"], inputs)
            return {**own, **dict(zip(kl_names(self.extras), kl.unbind(), strict=True))}

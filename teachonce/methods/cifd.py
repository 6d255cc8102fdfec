"""`cifd`: teacher, rate-distortion modules and a bottleneck in the student (Saidutta et al., NeurIPS 2024).

Equations (8) and (9): L = l_CE CE + l_KL sum_n l_n tau^2 KL(n || student) + w sum_n l_n D(x_n, e^s) + l_I rate, over
the teacher and the RDMs n. Needs: image_embedding and logits, of the teacher and of each RDM.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from torch import Tensor, nn

from teachonce.errors import InputError, MismatchError
from teachonce.methods.ce import labelled
from teachonce.methods.method import Method, Part, main, require_same_classes, require_width
from teachonce.methods.settings import Settings
from teachonce.methods.sources import (
    Distance,
    DropForm,
    Reduction,
    distances,
    divergences,
    keep,
    kl_names,
    of_sources,
)
from teachonce.methods.targets import Inputs, Outputs, Targets
from teachonce.methods.tensors import precise, stacked, widen
from teachonce.models.ibm import Ibm
from teachonce.models.projector import Projector
from teachonce.models.student import Student
from teachonce.options.opt import Opt
from teachonce.options.search import Around, Span
from teachonce.types import TargetSpec

__all__ = ["Cifd", "CifdSettings"]


@dataclass(frozen=True, kw_only=True)
class CifdSettings(Settings):
    """Defaults of the paper's CIFAR experiments (its Table 2); for ImageNet lambda_I is .001 and the loss smooth-l1."""

    temperature: Annotated[
        float,
        Opt(
            help="tau, by which all logits are divided in the divergences; no unit.",
            above=0,
            search=Span(1.0, 10.0, log=True),
        ),
    ] = 2.0
    squared_temperature: Annotated[
        bool, Opt(help="Multiply the divergences by tau^2, as Hinton et al. do; the paper does not say.")
    ] = True
    ce_weight: Annotated[float, Opt(help="lambda_CE, the weight of `ce`.", min=0)] = 1.0
    kl_weight: Annotated[
        float,
        Opt(help="lambda_KL, the weight of all divergences; at 0 no logits are read.", min=0, search=Around(10.0)),
    ] = 1.0
    rdm_weight: Annotated[
        float,
        Opt(
            help="lambda_n, the weight of every RDM against the teacher's 1, in its divergence and in its embedding "
            "term.",
            min=0,
            search=Around(10.0),
        ),
    ] = 1.0
    embedding_weight: Annotated[
        float,
        Opt(
            help="Weight of all embedding terms, from the experiments; in no equation. At 0 no embeddings are read. "
            "The terms grow with the square of the embeddings' scale: where a teacher's are large (no normalisation), "
            "100 drowns the rest.",
            min=0,
            search=Around(100.0),
        ),
    ] = 100.0
    embedding_loss: Annotated[Distance, Opt(help="Squared differences (CIFAR, CLIP), or smooth-l1 (ImageNet).")] = "mse"
    reduction: Annotated[
        Reduction,
        Opt(
            help="Over the features of an embedding; equation (8) has the sum, the weights of the experiments fit the "
            "mean."
        ),
    ] = "mean"
    rate_weight: Annotated[
        float, Opt(help="lambda_I, the weight of `rate`.", min=0, search=Span(1e-4, 1e-1, log=True))
    ] = 0.005
    ibm: Annotated[
        bool, Opt(help="Put the information bottleneck between the student's backbone and its head, in training.")
    ] = True
    kd_dropout: Annotated[
        float,
        Opt(
            help="The probability that a step leaves a source out; without RDMs nothing is left out.",
            min=0,
            below=1,
            search=Span(0.0, 0.5),
        ),
    ] = 0.25
    dropout_form: Annotated[
        DropForm,
        Opt(
            help="Each source on its own, exactly one of them a batch (as DGKD does; any rate above 0), or anew for "
            "each sample."
        ),
    ] = "bernoulli"
    dropout_embedding: Annotated[bool, Opt(help="Leave out the embedding term of a dropped source too.")] = True
    dropout_rescale: Annotated[bool, Opt(help="Divide by the share that is kept.")] = False

    def check(self, method: str) -> None:
        """See Settings.check."""
        if not (self.kl_weight or self.embedding_weight):
            message = f"{method}.kl_weight and {method}.embedding_weight are both 0: the teacher has no effect"
            raise InputError(message, "Set one above 0, or use --method ce")


class Cifd(Method):
    """Equations (8) and (9) of the paper, each part a term.

    `ce` with the labels; `kl` and `kl_NAME` = tau^2 KL(source || student) for the teacher and each RDM; `embedding` and
    `embedding_NAME` = the distance of the student's embedding, projected where the widths differ, from the source's;
    `rate` = nats a sample that pass the bottleneck. Everything of the student is behind the bottleneck (Figure 8). A
    term is zero in a step that leaves its source out. RDMs without embeddings (preset `cnn`) have no embedding term.
    Without RDMs it is KD with an embedding term and the bottleneck. Where the paper is silent: divergences and
    distances are means over the batch, the rate is the sum over units in nats.
    """

    name = "cifd"
    needs = frozenset({"image_embedding", "logits"})
    settings_type = CifdSettings
    settings: CifdSettings
    takes = "rdm"
    modules: nn.ModuleDict
    bottleneck: Ibm | None

    def __init__(self, settings: CifdSettings, extras: Sequence[str] = ()) -> None:
        self._with_embedding = tuple(extras) if settings.embedding_weight else ()
        super().__init__(settings, extras)
        weights = {"image_embedding": settings.embedding_weight, "logits": settings.kl_weight}
        self.needs = frozenset(name for name, weight in weights.items() if weight)

    def make_weights(self) -> dict[str, float]:
        """See Method.make_weights."""
        own, weights = self.settings, {"ce": self.settings.ce_weight}
        if own.kl_weight:
            weights |= dict.fromkeys(kl_names(self.extras), own.kl_weight * own.rdm_weight) | {"kl": own.kl_weight}
        if own.embedding_weight:
            weights |= {"embedding": own.embedding_weight}
            weights |= {f"embedding_{name}": own.embedding_weight * own.rdm_weight for name in self._with_embedding}
        return weights | ({"rate": own.rate_weight} if own.ibm else {})

    def check(self, student: Student, specs: Mapping[str, TargetSpec]) -> None:
        """See Method.check."""
        spec = main(specs)
        if "logits" in self.needs:
            for source in specs.values():
                require_same_classes(self.name, student, source)
        if "image_embedding" not in self.needs:
            return
        width = require_width(self.name, spec)
        widths = {name: specs[name].width("image_embedding") for name in self.extras}
        self._with_embedding = tuple(name for name, theirs in widths.items() if theirs is not None)
        for name in self._with_embedding:
            if widths[name] != width:
                message = f"target {name!r} has embeddings of width {widths[name]}"
                raise MismatchError(f"{message}, target {spec.name!r} of {width}", "Use RDMs of this target")
        self.weights = self.make_weights()

    def make_modules(self, student: Student, specs: Mapping[str, TargetSpec]) -> nn.Module:
        """See Method.make_modules."""
        modules, ours, theirs = nn.ModuleDict(), student.embedding_dim, main(specs).width("image_embedding")
        if self.settings.ibm:
            self.bottleneck = modules["ibm"] = Ibm(ours)
        if "image_embedding" in self.needs and theirs is not None and theirs != ours:
            modules["projector"] = Projector(ours, theirs)
            self.notes += (f"the student's embeddings ({ours}) are projected to the teacher's width ({theirs})",)
        bare = [name for name in self.extras if "image_embedding" in self.needs and name not in self._with_embedding]
        if bare:
            self.notes += (f"{', '.join(bare)}: no embeddings, so only their logits are used",)
        if not self.extras:
            self.notes += ("no RDMs: the teacher is the only source and is never dropped",)
        return modules

    def __call__(self, out: Outputs, targets: Targets, inputs: Inputs, step: int) -> dict[str, Tensor]:
        """See Method."""
        with precise(out["logits"]):
            return {
                name: term for part in self.parts(out, targets, inputs, step).values() for name, term in part().items()
            }

    def parts(self, out: Outputs, targets: Targets, inputs: Inputs, step: int) -> dict[str, Part]:
        """See Method.parts: cross-entropy, divergences, distances and rate, with one draw of what is dropped."""
        kept = self._kept(out, step)
        parts: dict[str, Part] = {"ce": partial(labelled, self, out["logits"], inputs)}
        if "logits" in self.needs:
            parts["kl"] = partial(self._divergences, out, targets, kept)
        if "image_embedding" in self.needs:
            parts["embedding"] = partial(
                self._distances, out, targets, kept if self.settings.dropout_embedding else None
            )
        if self.bottleneck is not None:
            parts["rate"] = partial(self._rate, out, self.bottleneck)
        return parts

    @property
    def idle(self) -> frozenset[str]:
        """See Method.idle."""
        return frozenset(() if self.settings.ibm else ("rate_weight",)) | (
            frozenset() if self.extras else {"rdm_weight", "kd_dropout"}
        )

    def _rate(self, out: Outputs, bottleneck: Ibm) -> dict[str, Tensor]:
        return {"rate": bottleneck.nats(out["image_embedding"]).mean()}

    def _kept(self, out: Outputs, step: int) -> Tensor | None:
        """Which sources this step hears, (K, 1) or (K, B); None where it hears all of them."""
        own = self.settings
        if not (self.extras and own.kd_dropout and self.modules.training):
            return None
        shape = (len(self.extras) + 1, len(out["logits"]) if own.dropout_form == "sample" else 1)
        drawn = self.draws.uniform(shape, step=step, purpose="sources", device=out["logits"].device)
        return keep(own.dropout_form, own.kd_dropout, drawn, rescale=own.dropout_rescale)

    def _divergences(self, out: Outputs, targets: Targets, kept: Tensor | None) -> dict[str, Tensor]:
        own = self.settings
        sources = stacked(of_sources(targets, "logits", self.extras))
        apart = divergences(out["logits"], sources, temperature=own.temperature, squared=own.squared_temperature)
        return dict(zip(kl_names(self.extras), _means(apart, kept), strict=True))

    def _distances(self, out: Outputs, targets: Targets, kept: Tensor | None) -> dict[str, Tensor]:
        own, embedding = self.settings, widen(out["image_embedding"])
        if "projector" in self.modules:
            embedding = self.modules["projector"](embedding)
        sources = stacked(of_sources(targets, "image_embedding", self._with_embedding))
        apart = distances(embedding, sources, kind=own.embedding_loss, reduction=own.reduction)
        if kept is not None and len(apart) < len(kept):
            there = [0, *(place for place, name in enumerate(self.extras, 1) if name in self._with_embedding)]
            kept = torch.stack([kept[place] for place in there])  # an index list would have to travel to the device
        names = ["embedding", *(f"embedding_{name}" for name in self._with_embedding)]
        return dict(zip(names, _means(apart, kept), strict=True))


def _means(apart: Tensor, kept: Tensor | None) -> tuple[Tensor, ...]:
    """Means over the batch of what is kept: (K, B) to K scalars."""
    return (apart if kept is None else apart * kept.to(apart.dtype)).mean(1).unbind()

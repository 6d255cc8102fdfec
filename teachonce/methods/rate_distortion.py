"""The losses of CIFD's rate-distortion modules (Saidutta et al., NeurIPS 2024, equations 4, 5 and 22).

What the paper leaves open is chosen once, here:
- nats everywhere (they add to cross-entropy and KL, which are nats); reports divide by ln 2 for bits.
- The rate is summed over units: it is -log of a joint density. All terms are means over the batch.
- ||X - X^||^2 of equation (4) is a squared norm: summed over dimensions. Smooth-L1, the paper's choice for ImageNet
  "instead of MSE", is averaged over dimensions, as torch's is by default: with R = 1e4 the sum would leave the rate
  no say.
- KL carries T^2 (Hinton et al., 2015), so that temperature does not change its weight.
- The weight of CE is in (22) but not in (5), R is in (5) but not in (22): here both are there. R multiplies the
  distortion; where there is no reconstruction (the CNNs of Table 1) it multiplies CE and KL, since nothing else
  trades against the rate there and Fig. 5 varies R.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor

from teachonce.methods.tensors import widen
from teachonce.models.rdm import RdmOut

Kind = Literal["mse", "smooth-l1"]
Reduction = Literal["sum", "mean"]


@dataclass(frozen=True, kw_only=True)
class RdmLoss:
    """What `rdm_loss` adds up; `for_preset` has the paper's choice."""

    weighs: Literal["distortion", "task"] = "distortion"
    """What R multiplies: the distortion (and CE and KL are added), or CE and KL (and there is no distortion)."""
    distortion: Kind = "mse"
    """Squared error, or smooth-L1 with its bend at 1."""
    reduction: Reduction = "sum"
    """Of the distortion, over the dimensions."""
    temperature: float = 2.0
    """T of the KL term; positive, no unit."""
    squared_temperature: bool = True
    """Whether KL is multiplied by T^2."""
    ce_weight: float = 1.0
    """lambda_CE."""
    kl_weight: float = 1.0
    """lambda_KL."""

    @classmethod
    def for_preset(cls, preset: str, **given: Any) -> "RdmLoss":
        """The losses of a preset of RdmSpec, with what is given and not None in place of its defaults."""
        own: dict[str, Any] = {"cnn": {"weighs": "task"}}.get(preset, {})
        if preset in ("r34", "r50"):
            own = {"distortion": "smooth-l1", "reduction": "mean"}
        return cls(**{**own, **{name: value for name, value in given.items() if value is not None}})


def distortion(x: Tensor, reconstruction: Tensor, *, kind: Kind = "mse", reduction: Reduction = "sum") -> Tensor:
    """The distortion (K, B) of each sample of x (B, D) in K reconstructions (K, B, D)."""
    wide, made = widen(x.detach()).expand_as(reconstruction), widen(reconstruction)
    each = F.mse_loss if kind == "mse" else F.smooth_l1_loss
    loss = each(made, wide, reduction="none")
    return loss.sum(-1) if reduction == "sum" else loss.mean(-1)


def rdm_loss(
    out: RdmOut, x: Tensor, logits: Tensor | None, labels: Tensor | None, *, weights: Tensor, settings: RdmLoss
) -> dict[str, Tensor]:
    """The loss of K RDMs on a batch: each term (K,), a mean over the batch, in nats, and their weighted `total`.

    `rate` is always there; `distortion` where there is a reconstruction and R weighs it; `ce` and `kl` where the RDM
    has logits and labels or teacher logits are given.

    Args:
        out: Of RdmStack.
        x: The teacher's embeddings (B, D).
        logits: The teacher's (B, C); None for no KL.
        labels: (B,) int64; None for no CE.
        weights: R of each RDM, (K,).
        settings: What is added up.
    """
    terms = {"rate": out.nats.mean(-1)}
    if settings.weighs == "distortion" and out.embedding is not None:
        each = distortion(x, out.embedding, kind=settings.distortion, reduction=settings.reduction)
        terms["distortion"] = each.mean(-1)
    if out.logits is not None and labels is not None:
        terms["ce"] = _ce(out.logits, labels)
    if out.logits is not None and logits is not None:
        terms["kl"] = _kl(out.logits, logits, settings)
    return {"total": _total(terms, weights, settings), **terms}


def _total(terms: dict[str, Tensor], weights: Tensor, settings: RdmLoss) -> Tensor:
    factors = {"rate": 1.0, "ce": settings.ce_weight, "kl": settings.kl_weight}
    task = settings.weighs == "task"
    total = terms["rate"]
    for name in ("ce", "kl"):
        if name in terms:
            total = total + factors[name] * terms[name] * (weights if task else 1.0)
    return total + weights * terms["distortion"] if "distortion" in terms else total


def _ce(logits: Tensor, labels: Tensor) -> Tensor:
    """(K,), of logits (K, B, C)."""
    repeated = labels.expand(logits.shape[:2]).reshape(-1)
    return F.cross_entropy(widen(logits).flatten(0, 1), repeated, reduction="none").view(logits.shape[:2]).mean(-1)


def _kl(logits: Tensor, teacher: Tensor, settings: RdmLoss) -> Tensor:
    """(K,), KL(teacher || RDM), of logits (K, B, C) and (B, C)."""
    student = F.log_softmax(widen(logits) / settings.temperature, dim=-1)
    target = F.log_softmax(widen(teacher.detach()) / settings.temperature, dim=-1).expand_as(student)
    each = F.kl_div(student, target, reduction="none", log_target=True).sum(-1).mean(-1)
    return each * settings.temperature**2 if settings.squared_temperature else each

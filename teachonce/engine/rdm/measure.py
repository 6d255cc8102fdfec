"""How good RDMs are on rows that they were not trained on: rate in bits, distortion, losses, accuracy."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachonce.engine.cached import CachedTargets
from teachonce.engine.feed import cut
from teachonce.engine.rdm.job import Job
from teachonce.engine.targets import BatchRows, on_device
from teachonce.methods.rate_distortion import rdm_loss
from teachonce.methods.targets import Targets
from teachonce.models.rdm import RdmOut, RdmStack
from teachonce.processwide import evaluating
from teachonce.signals import needs

_BATCH = 512
_VIEW = 0
Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Of one RDM in use, that is with its bottleneck rounded; means over the validation rows."""

    bits: float
    """Rate, in bits a sample."""
    val_loss: float
    """What training minimises, in nats."""
    distortion: float | None = None
    """As the loss has it; None without a reconstruction."""
    ce: float | None = None
    """Nats; None where it is not learnt."""
    kl: float | None = None
    """Nats, with the factor T^2 where the loss has it; None where it is not learnt."""
    val_top1: float | None = None
    """Share in [0, 1] of the labelled rows; None where there are none, or the RDM has no logits."""


def rank_of(scores: Mapping[str, float | None], select: str) -> list[float]:
    """The higher, the better: by top-1, where there is one, then by the loss; or by the loss alone.

    Args:
        scores: `val_loss` and `val_top1`, as Scores has them.
        select: `loss` or `top1`.
    """
    loss, top1 = scores["val_loss"], scores["val_top1"]
    assert loss is not None
    return [-loss] if select == "loss" or top1 is None else [top1, -loss]


class Targeted:
    """Batches of a job's parent with their labels, and the loss on them."""

    def __init__(self, job: Job, source: CachedTargets, weights: Sequence[float]) -> None:
        self.job, self.source = job, source
        self._weights = torch.tensor(weights, dtype=torch.float32, device=job.device)
        self._labels = torch.from_numpy(job.labels.astype(np.int64)).to(job.device)
        self.terms = ["rate"] + ["distortion"] * (job.loss.weighs == "distortion")
        self.terms += ["ce"] * job.learnt.ce + ["kl"] * job.learnt.kl

    def labels(self, rows: BatchRows) -> Tensor:
        """(B,) int64 on the device."""
        return self._labels.index_select(0, rows.device)

    def loss(self, out: RdmOut, targets: Targets, rows: BatchRows) -> dict[str, Tensor]:
        """`total` and each of `terms`, (K,): means over the batch."""
        labels = self.labels(rows) if self.job.learnt.ce else None
        settings = self.job.loss
        embedding, logits = targets["image_embedding"], targets["logits"] if self.job.learnt.kl else None
        return rdm_loss(out, embedding, logits, labels, weights=self._weights, settings=settings)


def measure(stack: RdmStack, targeted: Targeted, rows: Rows) -> list[Scores]:
    """Score K RDMs on view 0 of these rows; the device is read once, at the end."""
    batches = cut(rows, _BATCH, drop_last=False)
    targeted.source.plan(batches, _VIEW)
    with evaluating(stack), torch.inference_mode():
        sums = [_sums(stack, targeted, batch) for batch in on_device(batches, targeted.job.device)]
        totals = torch.stack(sums).sum(0).cpu().tolist()
    labelled = int((targeted.job.labels[rows] >= 0).sum()) if targeted.job.learnt.labels_fit else 0
    names = ["total", *targeted.terms, "right"]
    return [_scores(dict(zip(names, one, strict=True)), len(rows), labelled) for one in zip(*totals, strict=True)]


def _sums(stack: RdmStack, targeted: Targeted, rows: BatchRows) -> Tensor:
    """(T + 2, K) float64: the loss, its terms and the right answers, summed over a batch."""
    targets = targeted.source.fetch(rows, _VIEW)
    out = stack(targets["image_embedding"])
    terms = targeted.loss(out, targets, rows)
    values = torch.stack([terms[name] for name in ("total", *targeted.terms)]).double() * len(rows.host)
    if out.logits is None:
        return torch.cat([values, torch.zeros_like(values[:1])])
    right = (out.logits.argmax(-1) == targeted.labels(rows)).sum(-1, keepdim=True)
    return torch.cat([values, right.T])


def _scores(sums: dict[str, float], rows: int, labelled: int) -> Scores:
    means = {name: value / rows for name, value in sums.items()}
    return Scores(
        bits=means["rate"] / math.log(2),
        val_loss=means["total"],
        distortion=means.get("distortion"),
        ce=means.get("ce"),
        kl=means.get("kl"),
        val_top1=round(sums["right"]) / labelled if labelled else None,
    )


def teacher_top1(job: Job) -> float | None:
    """The teacher's own top-1 on view 0 of the validation rows; None without labels, logits or equal classes."""
    known = job.learnt
    rows = job.rows.val[job.labels[job.rows.val] >= 0]
    if not (known.teacher_fits and len(rows)):
        return None
    reads = {job.parent.name: needs("logits")}
    source = CachedTargets(job.store, reads, device=torch.device("cpu"), budget_bytes=0)
    right = 0
    for batch in on_device(cut(rows, _BATCH, drop_last=False), torch.device("cpu")):
        logits = source.fetch(batch, _VIEW)["logits"]
        right += int((logits.float().argmax(1).numpy() == job.labels[batch.host]).sum())
    return right / len(rows)

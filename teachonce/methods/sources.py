"""Several sources of one kind (the teacher, its RDMs, assistants): all in one computation, and which ones a step hears.

K counts the sources, B the batch, C the classes, D the width of the embeddings.
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from teachonce.methods.targets import Targets
from teachonce.methods.tensors import widen

__all__ = ["distances", "divergences"]

Distance = Literal["mse", "smooth-l1"]
Reduction = Literal["mean", "sum"]
DropForm = Literal["bernoulli", "exactly-one", "sample"]


def divergences(logits: Tensor, sources: Tensor, *, temperature: float, squared: bool = True) -> Tensor:
    """KL(p_T(source) || p_T(student)) of every source and sample, in nats; times T^2 where `squared`.

    The student's log-softmax is taken once. The mean over the batch of one row is `kd` (Hinton et al., 2015).

    Args:
        logits: The student's, (B, C).
        sources: Logits (K, B, C) in float32 or float64, without a gradient.
        temperature: T > 0.
        squared: Multiply by T^2, so that the gradient keeps its size when T changes.

    Returns:
        (K, B).
    """
    student = F.log_softmax(widen(logits) / temperature, dim=-1)
    theirs = F.log_softmax(sources / temperature, dim=-1)
    divergence = (theirs.exp() * (theirs - student)).sum(-1)
    return divergence * temperature**2 if squared else divergence


def distances(embedding: Tensor, sources: Tensor, *, kind: Distance = "mse", reduction: Reduction = "mean") -> Tensor:
    """How far a student's embeddings are from each source's, of every source and sample.

    Args:
        embedding: (B, D), with a gradient.
        sources: (K, B, D), without one.
        kind: Squared differences, or smooth L1 with its bend at 1 (Girshick, 2015).
        reduction: Mean or sum over the D features.

    Returns:
        (K, B).
    """
    student = embedding.expand_as(sources)
    elementwise = F.mse_loss if kind == "mse" else F.smooth_l1_loss
    apart = elementwise(student, sources, reduction="none")
    return apart.mean(-1) if reduction == "mean" else apart.sum(-1)


def keep_all_but(drop: int, drawn: Tensor) -> Tensor:
    """Ones with exactly `drop` zeros among them, each source as often: (K,) float32, of (K,) drawn from [0, 1)."""
    return (drawn.argsort() >= drop).float()


def keep(form: DropForm, rate: float, drawn: Tensor, *, rescale: bool) -> Tensor:
    """Which sources a step hears (KD dropout): ones and zeros.

    Args:
        form: `bernoulli` drops each source on its own, for the whole batch; `sample` the same for every sample;
            `exactly-one` drops one source of the batch, all alike, and does not look at the rate.
        rate: The probability of a drop, in [0, 1).
        drawn: (K, 1), or (K, B) for `sample`, from [0, 1).
        rescale: Divide by the share that is kept, so that the expectation is that of no dropout.

    Returns:
        Of that shape; float32.
    """
    if form == "exactly-one":
        kept, sources = keep_all_but(1, drawn[:, 0])[:, None], len(drawn)
        return kept * (sources / (sources - 1)) if rescale and sources > 1 else kept
    kept = (drawn >= rate).float()
    return kept / (1 - rate) if rescale else kept


def kl_names(extras: Sequence[str]) -> list[str]:
    """The names of the divergences: `kl` of the main target, `kl_NAME` of each extra."""
    return ["kl", *(f"kl_{name}" for name in extras)]


def of_sources(targets: Targets, signal: str, extras: Sequence[str]) -> list[Tensor]:
    """A signal of the main target, then of the extras in the order in which they were named."""
    return [targets[signal], *(targets[name, signal] for name in extras)]

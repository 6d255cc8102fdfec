"""The options of `rdm`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from teachonce.options import shared
from teachonce.options.opt import Opt
from teachonce.options.optim import RateOptions
from teachonce.options.shared import OPTIMISER
from teachonce.types import StoredDtype

LOSS = "Loss"


@dataclass(frozen=True, kw_only=True)
class RdmOptions(RateOptions):
    """Train rate-distortion modules (CIFD) on a store's embeddings, and add their outputs as targets rdm-R.

    The teacher is not needed. After a kill or an interrupt, the same command resumes.
    """

    store: shared.Store
    distortion_weight: Annotated[
        tuple[float, ...],
        Opt(
            help="One RDM for each, such as 10000,5000,1000; larger: a higher rate.",
            metavar="R,R,...",
            tells="content",
        ),
    ]
    target: Annotated[str, Opt(help="Target whose embeddings the RDMs are trained on.", tells="content")] = "teacher"
    preset: Annotated[
        Literal["general", "cnn", "r34", "r50"],
        Opt(help="Layers: general for any embedding, the others as in the paper.", tells="content"),
    ] = "general"
    hidden: Annotated[
        int | None, Opt(help="Width of preset general; that of the embedding if absent.", min=1, tells="content")
    ] = None
    activation: Annotated[
        Literal["relu", "gelu", "silu", "tanh"],
        Opt(rare=True, help="Activation after the first and the third layer.", tells="content"),
    ] = "relu"
    dtype: Annotated[StoredDtype | None, Opt(help="Stored dtype; the target's own if absent.", tells="content")] = None
    distortion: Annotated[
        Literal["mse", "smooth-l1"] | None,
        Opt(rare=True, help="Distortion; if absent mse, for r34 and r50 smooth-l1.", panel=LOSS),
    ] = None
    reduction: Annotated[
        Literal["sum", "mean"] | None,
        Opt(
            rare=True,
            help="Reduction of the distortion over dimensions; if absent sum, for r34 and r50 mean.",
            panel=LOSS,
        ),
    ] = None
    temperature: Annotated[float, Opt(help="Temperature of the KL to the teacher.", panel=LOSS, above=0.0)] = 2.0
    squared_temperature: Annotated[
        bool, Opt(rare=True, help="Multiply the KL by the temperature squared.", panel=LOSS)
    ] = True
    ce_weight: Annotated[float, Opt(help="Weight of the cross-entropy; 0: without labels.", panel=LOSS, min=0.0)] = 1.0
    kl_weight: Annotated[float, Opt(help="Weight of the KL; 0: without logits.", panel=LOSS, min=0.0)] = 1.0
    epochs: Annotated[int, Opt(help="Passes over the embeddings.", panel=OPTIMISER, min=1)] = 30
    batch_size: Annotated[int, Opt(help="Rows per training step.", panel=OPTIMISER, min=1)] = 256
    weight_decay: Annotated[float, Opt(help="Weight decay of the linear layers.", panel=OPTIMISER, min=0.0)] = 0.0
    val_fraction: shared.ValFraction = 0.05
    select: Annotated[Literal["top1", "loss"], Opt(help="Keep the epoch with the best top-1 or the lowest loss.")] = (
        "loss"
    )
    repair: shared.Repair = False
    device: shared.Device = None
    threads: shared.Threads = None
    seed: shared.Seed = 0

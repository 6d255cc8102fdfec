"""`teachonce rdm`: train rate-distortion modules on a store's embeddings, and add their outputs to it."""

from enum import StrEnum
from typing import Annotated

import typer
from typer import Option

from teachonce.cli import options as shared
from teachonce.cli.frame import finish, work
from teachonce.cli.train import OPTIMISER, Milestones, parse_milestones
from teachonce.console.tables import rdm_parts

LOSS = "Loss"


class Preset(StrEnum):
    """Layers of the paper."""

    general = "general"
    cnn = "cnn"
    r34 = "r34"
    r50 = "r50"


class Activation(StrEnum):
    """Activation after the first and the third layer."""

    relu = "relu"
    gelu = "gelu"
    silu = "silu"
    tanh = "tanh"


class Distortion(StrEnum):
    """Between an embedding and its reconstruction."""

    mse = "mse"
    smooth_l1 = "smooth-l1"


class Reduction(StrEnum):
    """Over the dimensions of an embedding."""

    sum = "sum"
    mean = "mean"


class Select(StrEnum):
    """Which epoch is kept."""

    top1 = "top1"
    loss = "loss"


Weights = Annotated[
    str,
    Option(help="One RDM for each, such as 10000,5000,1000; larger: a higher rate.", metavar="R,R,..."),
]


def parse_weights(text: str) -> tuple[float, ...]:
    """`10000,0.8` as (10000.0, 0.8)."""
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"expected numbers such as 10000,5000,1000, got {text!r}", param_hint="--distortion-weight"
        ) from None


def rdm(  # noqa: PLR0913  (one parameter an option)
    store: shared.Store,
    distortion_weight: Weights,
    target: Annotated[str, Option(help="Target whose embeddings the RDMs are trained on.")] = "teacher",
    preset: Annotated[
        Preset, Option(help="Layers: general for any embedding, the others as in the paper.")
    ] = Preset.general,
    hidden: Annotated[
        int | None, Option(min=1, help="Width of preset general; that of the embedding if absent.")
    ] = None,
    activation: Annotated[Activation, Option(help="Activation after the first and the third layer.")] = Activation.relu,
    dtype: Annotated[shared.Dtype | None, Option(help="Stored dtype; the target's own if absent.")] = None,
    distortion: Annotated[
        Distortion | None, Option(help="Distortion; if absent mse, for r34 and r50 smooth-l1.", rich_help_panel=LOSS)
    ] = None,
    reduction: Annotated[
        Reduction | None,
        Option(
            help="Reduction of the distortion over dimensions; if absent sum, for r34 and r50 mean.",
            rich_help_panel=LOSS,
        ),
    ] = None,
    temperature: Annotated[float, Option(help="Temperature of the KL to the teacher.", rich_help_panel=LOSS)] = 2.0,
    squared_temperature: Annotated[
        bool, Option(help="Multiply the KL by the temperature squared.", rich_help_panel=LOSS)
    ] = True,
    ce_weight: Annotated[
        float, Option(help="Weight of the cross-entropy; 0: without labels.", rich_help_panel=LOSS)
    ] = 1.0,
    kl_weight: Annotated[float, Option(help="Weight of the KL; 0: without logits.", rich_help_panel=LOSS)] = 1.0,
    epochs: Annotated[int, Option(min=1, help="Passes over the embeddings.", rich_help_panel=OPTIMISER)] = 30,
    batch_size: Annotated[int, Option(min=1, help="Rows per training step.", rich_help_panel=OPTIMISER)] = 256,
    lr: Annotated[float, Option(min=0.0, help="Maximum learning rate.", rich_help_panel=OPTIMISER)] = 1e-3,
    weight_decay: Annotated[
        float, Option(min=0.0, help="Weight decay of the linear layers.", rich_help_panel=OPTIMISER)
    ] = 0.0,
    schedule: Annotated[
        shared.Schedule, Option(help="Schedule of the learning rate.", rich_help_panel=OPTIMISER)
    ] = shared.Schedule.cosine,
    warmup_epochs: Annotated[
        float, Option(min=0.0, help="Epochs of linear warm-up, such as 0.5.", rich_help_panel=OPTIMISER)
    ] = 0.0,
    milestones: Milestones = None,
    gamma: Annotated[
        float, Option(help="Factor of the learning rate at each milestone.", rich_help_panel=OPTIMISER)
    ] = 0.1,
    density_lr: shared.DensityLr = None,
    val_fraction: Annotated[
        float, Option(min=0.0, max=0.9, help="Share of rows kept for validation.", rich_help_panel=shared.DATA)
    ] = 0.05,
    select: Annotated[Select, Option(help="Keep the epoch with the best top-1 or the lowest loss.")] = Select.loss,
    repair: shared.Repair = False,
    device: shared.Device = None,
    threads: shared.Threads = None,
    seed: shared.Seed = 0,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Train rate-distortion modules (CIFD) on a store's embeddings, and add their outputs as targets rdm-R.

    The teacher is not needed. After a kill or an interrupt, the same command resumes.
    """
    weights, epochs_of_milestones = parse_weights(distortion_weight), parse_milestones(milestones)
    with work(debug=debug, threads=threads) as events:
        from teachonce.stages.rdm import rdm as stage

        result = stage(
            store=store,
            distortion_weight=weights,
            target=target,
            preset=preset.value,
            hidden=hidden,
            activation=activation.value,
            distortion=None if distortion is None else distortion.value,
            reduction=None if reduction is None else reduction.value,
            temperature=temperature,
            squared_temperature=squared_temperature,
            ce_weight=ce_weight,
            kl_weight=kl_weight,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            weight_decay=weight_decay,
            schedule=schedule.value,
            warmup_epochs=warmup_epochs,
            milestones=epochs_of_milestones,
            gamma=gamma,
            density_lr=density_lr,
            val_fraction=val_fraction,
            select=select.value,
            dtype=None if dtype is None else dtype.value,
            seed=seed,
            device=device,
            repair=repair,
            events=events,
        )
    finish(result, rdm_parts, as_json=as_json)

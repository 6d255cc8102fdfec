"""Between the stages: train rate-distortion modules on a store's embeddings, and keep their outputs beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from teachonce.cache.targets import TargetRecord
from teachonce.engine.optim import OptimConfig
from teachonce.engine.rdm.conduct import conduct
from teachonce.engine.rdm.job import open_job
from teachonce.engine.rdm.settings import RdmConfig, Select
from teachonce.engine.words import given_options
from teachonce.events import SILENT, Events
from teachonce.methods.rate_distortion import Kind, Reduction
from teachonce.models.rdm import Preset
from teachonce.types import StoredDtype


@dataclass(frozen=True, kw_only=True)
class RdmEntry:
    """One RDM, as it does on the validation rows (view 0), its bottleneck rounded."""

    name: str
    """Of its target."""
    distortion_weight: float
    bits: float
    """Rate, in bits a sample."""
    distortion: float | None
    """A sample, as the loss has it; None without a reconstruction."""
    top1: float | None
    """Share in [0, 1]; None without labels of its classes."""
    best_epoch: int
    reused: bool
    """It was there before, and nothing was done for it."""


@dataclass(frozen=True, kw_only=True)
class RdmResult:
    """What a call of `rdm` did."""

    store: str
    target: str
    """The parent."""
    rdms: list[RdmEntry]
    """In the order of the distortion weights."""
    teacher_top1: float | None
    """The teacher's own, on the same rows; None without labels or logits."""
    epochs: int
    rows: int
    """Rows that trained."""
    val_rows: int
    seconds: float
    """Of the epochs, validation and writing not included; 0 where all was reused."""
    samples_per_s: float
    """Rows that trained a second, each for all RDMs that were trained; 0 where all was reused."""


def rdm(  # noqa: PLR0913 - one parameter an option
    *,
    store: str | Path,
    distortion_weight: float | Sequence[float],
    target: str = "teacher",
    preset: Preset = "general",
    hidden: int | None = None,
    activation: str = "relu",
    distortion: Kind | None = None,
    reduction: Reduction | None = None,
    temperature: float = 2.0,
    squared_temperature: bool = True,
    ce_weight: float = 1.0,
    kl_weight: float = 1.0,
    epochs: int = 30,
    batch_size: int = 256,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    schedule: Literal["cosine", "milestones", "constant"] = "cosine",
    warmup_epochs: float = 0.0,
    milestones: Sequence[int] = (),
    gamma: float = 0.1,
    density_lr: float | None = None,
    val_fraction: float = 0.05,
    select: Select = "loss",
    dtype: StoredDtype | None = None,
    seed: int = 0,
    device: str | None = None,
    repair: bool = False,
    events: Events = SILENT,
) -> RdmResult:
    """Train one RDM for each distortion weight R, all together, and write their outputs as targets `rdm-R`.

    The teacher is not loaded: embeddings, logits (or the stored head) and labels come from the store. Without labels
    there is no cross-entropy, without logits no KL, without both what is left is rate and distortion (equation 4 of
    CIFD, Saidutta et al., NeurIPS 2024). Epoch e learns from view e mod V; outputs are written for all views.

    Killed or interrupted at any point, the same call resumes where it stopped, on the CPU to the same bytes. What is
    there already, from the same settings, is reused; only the missing weights are trained. Until all is sealed, the
    training lies in `STORE.work`. Nothing is written before everything has been checked.

    Args:
        store: Folder of the store.
        distortion_weight: R of each, or that of one; a larger one means a higher rate. All above 0.
        target: The parent: a sealed target with embeddings.
        preset: `general`, `r34`, `r50` or `cnn`, the layers of the paper; see `RdmSpec`. With `cnn`, which gives logits
            only, R weighs CE and KL.
        hidden: Width of the preset general; None: that of the embedding.
        activation: relu, gelu, silu or tanh.
        distortion: `mse` or `smooth-l1`; None: the preset's (smooth-l1 for r34 and r50).
        reduction: `sum` or `mean` over the dimensions of the embedding; None: the preset's (mean for r34 and r50).
        temperature: Of the KL to the teacher.
        squared_temperature: Multiply the KL by the temperature squared.
        ce_weight: Of the cross-entropy; 0: labels are not looked at in training.
        kl_weight: Of the KL; 0: the teacher's logits are not looked at.
        epochs: Of the whole training.
        batch_size: Rows of a step; the last, smaller batch of an epoch is left out.
        lr: The learning rate at its highest; the optimiser is AdamW.
        weight_decay: Of the linear layers' weights.
        schedule: `cosine` to zero, `milestones` or `constant`.
        warmup_epochs: Epochs of linear warmup.
        milestones: Epochs after which the rate is multiplied by `gamma`.
        gamma: See `milestones`.
        density_lr: Of the factorised densities, as a multiple of `lr`; None: 10.
        val_fraction: The share of rows that validate, chosen by hash; above 0.
        select: Which epoch of an RDM is kept: `loss`, the lowest on the validation rows; or `top1`, the highest (which
            the paper monitors), of equals and without labels the lowest loss. Accuracy is there long before the rate
            has come down, so that `top1` keeps epochs whose bits say little about R.
        dtype: Stored dtype: float16, bfloat16 or float32; None: the parent's.
        seed: Of the split, the weights, the shuffles and the noise.
        device: `cpu`, `cuda`, `cuda:1`; None: the GPU where there is one. It computes in float32.
        repair: Mend damaged targets of these RDMs: bad blocks are written again by the stored weights, nothing else.
        events: Who watches.

    Raises:
        InputError: A setting that cannot be used, or a parent that is an RDM's.
        ModelError: Layers that cannot be.
        DataError: No rows to train on, or to validate on.
        StoreMissingError: No such store or target, or it has no embeddings.
        UnsealedError: The store or the target is not finished.
        MismatchError: A target of that name was made from other things, or the teacher's classes are not the labels';
            names the first difference.
        CorruptError: Bytes of the store are not what was sealed.
        BusyError: Another process does the same.
        NonFiniteError: A loss became NaN or infinite, or an output cannot be stored; nothing of it is sealed.
        DiskError: The disk is full, read-only or failing; the last checkpoint is kept.
    """
    given = given_options(rdm, locals())
    optim = OptimConfig(
        lr=lr,
        weight_decay=weight_decay,
        schedule=schedule,
        warmup_epochs=warmup_epochs,
        milestones=tuple(milestones),
        gamma=gamma,
        density_lr=density_lr,
    )
    # a text is no sequence of its digits
    weights = (distortion_weight,) if isinstance(distortion_weight, int | float | str) else tuple(distortion_weight)
    config = RdmConfig(
        store=Path(store),
        distortion_weight=weights,
        target=target,
        preset=preset,
        hidden=hidden,
        activation=activation,
        distortion=distortion,
        reduction=reduction,
        temperature=temperature,
        squared_temperature=squared_temperature,
        ce_weight=ce_weight,
        kl_weight=kl_weight,
        epochs=epochs,
        batch_size=batch_size,
        optim=optim,
        val_fraction=val_fraction,
        select=select,
        dtype=dtype,
        seed=seed,
        device=device,
    )
    job = open_job(config, events)
    done = conduct(job, events, {**given, "distortion_weight": list(weights)}, mend=repair)
    rdms = [_entry(record, reused=name in done.reused) for name, record in done.records.items()]
    rows = len(job.rows.train)
    return RdmResult(
        store=str(store),
        target=target,
        rdms=rdms,
        teacher_top1=next(iter(done.records.values())).attributes.get("teacher_top1"),
        epochs=epochs,
        rows=rows,
        val_rows=len(job.rows.val),
        seconds=done.seconds,
        samples_per_s=rows * epochs / done.seconds if done.seconds else 0.0,
    )


def _entry(record: TargetRecord, *, reused: bool) -> RdmEntry:
    told = record.attributes
    return RdmEntry(
        name=record.name,
        distortion_weight=told["distortion_weight"],
        bits=told["bits"],
        distortion=told["distortion"],
        top1=told["top1"],
        best_epoch=told["best_epoch"],
        reused=reused,
    )

"""Stage two: train a student from a store, from the live teacher, or without a teacher."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from teachonce.cache.store import open_store
from teachonce.data.open import open_samples
from teachonce.data.samples import Samples
from teachonce.engine.describe import describe, identify, refuse_other_teacher, warn_unused, warn_versions
from teachonce.engine.device import host_memory_bytes, peak_memory_bytes, pick_device, reset_peak
from teachonce.engine.guard import check_data, tell_unproven
from teachonce.engine.optim import OptimConfig
from teachonce.engine.rows import all_digests
from teachonce.engine.runfile import (
    RESULT,
    check_folder,
    owned,
    read_result,
    read_run,
    refuse_others,
    run_rule,
    write_run,
)
from teachonce.engine.session import Session, open_session
from teachonce.engine.settings import TrainConfig, Value
from teachonce.errors import InputError
from teachonce.events import SILENT, Events
from teachonce.fsio import write_json
from teachonce.processwide import allow_tf32, current, random_kept
from teachonce.validation import require_type


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a training did."""

    run: str
    method: str
    source: str
    epochs: int
    step_ms: float | None
    """The median of a step in the steady state, data and targets included."""
    samples_per_s: float | None
    """In the steady state, validation not included."""
    peak_memory_bytes: int | None
    """Of the device; None on a CPU, and with CUDA graphs, whose memory pool the allocator's peak does not see."""
    host_memory_bytes: int
    """The process's own peak."""
    val_top1: float | None
    """Share in [0, 1] of the best epoch; None without validation rows."""
    best_epoch: int
    seconds: float
    """Of all epochs, validation not included."""
    train_rows: int
    val_rows: int
    reused: bool = False
    """The run was finished before, and nothing was done."""


def train(  # noqa: PLR0913 - one parameter an option
    *,
    data: str | Path | Samples,
    student: str,
    out: str | Path,
    init: str | Path | None = None,
    method: str = "ce",
    store: str | Path | None = None,
    target: str = "teacher",
    rdm: Sequence[str] | str = (),
    rdm_logits: Literal["stored", "head"] = "stored",
    assistants: Sequence[str] | str = (),
    source: Literal["cached", "live"] = "cached",
    teacher: str | Path | None = None,
    teacher_dtype: str = "float32",
    teacher_device_map: str | None = None,
    settings: Mapping[str, Value] | None = None,
    split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    key_column: str | None = None,
    limit: int | None = None,
    val_fraction: float = 0.1,
    image_size: int | None = None,
    student_augment: str | None = None,
    epochs: int = 10,
    batch_size: int = 128,
    lr: float = 1e-3,
    optimizer: Literal["adamw", "sgd"] = "adamw",
    weight_decay: float | None = None,
    momentum: float = 0.9,
    schedule: Literal["cosine", "milestones", "constant"] = "cosine",
    warmup_epochs: float = 0.0,
    milestones: Sequence[int] = (),
    gamma: float = 0.1,
    label_smoothing: float = 0.0,
    clip_norm: float | None = None,
    density_lr: float | None = None,
    precision: str = "auto",
    tf32: bool = False,
    compile: bool = False,
    cuda_graphs: bool = False,
    device: str | None = None,
    workers: int | None = None,
    seed: int = 0,
    trust_remote_code: bool = False,
    events: Events = SILENT,
) -> TrainResult:
    """Train a student; without a store and with `ce`, a teacher.

    Killed or interrupted at any point, the same call goes on after the last finished epoch, on the CPU to the same
    weights bit for bit. A finished run of the same settings is reused. Nothing is written before everything has been
    checked. From a store the teacher's weights are never loaded.

    Args:
        data: See `open_samples`, or opened samples; then `split`, the columns and `limit` are not looked at.
        student: See `build_student`.
        out: Folder of the run: run.json, metrics.jsonl, checkpoints/, best/, tensorboard/, result.json.
        init: Initial weights of the student: a run of `train`, or for students of transformers a folder or hub id; see
            `initialise`. None: random ones.
        method: `ce`, `kd`, `vanilla-kd`, `clip-embed-kd`, `clip-teacher-kd`, `dgkd` or `cifd`.
        store: Folder of the store: its views are trained on, and from source `cached` its targets are read.
        target: The target's name in the store.
        rdm: For cifd: names of RDM targets of the store, made by `rdm` from this target; a text has commas between.
        rdm_logits: Read the RDMs' logits as `stored`, or compute them from their stored `head`.
        assistants: For dgkd: names of the assistants' targets, made by `embed`; as `rdm`.
        source: `cached`, or `live`: the teacher runs on every batch, on the same views.
        teacher: See `load_teacher`; for source `live`.
        teacher_dtype: Of the live teacher's weights, which compute in it: `float32`, `bf16` or `fp16`.
        teacher_device_map: Of the live teacher; see `embed`.
        settings: The method's settings, values or text; see `make_method`.
        split: Which split.
        image_column: The column of images.
        label_column: The column of labels.
        key_column: A column that identifies the rows.
        limit: The first so many rows.
        val_fraction: The share of rows that validate, chosen by hash.
        image_size: Pixels a side that the student sees; None: its own default.
        student_augment: Augmentation on top of the view, for the student alone, drawn anew each epoch.
        epochs: Of the whole run.
        batch_size: Rows of a step; the last, smaller batch of an epoch is left out.
        lr: The learning rate at its highest.
        optimizer: `adamw` or `sgd`.
        weight_decay: None: 0.05 with adamw, 5e-4 with sgd; never on biases and norms.
        momentum: Of sgd.
        schedule: `cosine` to zero, `milestones` or `constant`.
        warmup_epochs: Epochs of linear warmup.
        milestones: Epochs after which the rate is multiplied by `gamma`.
        gamma: See `milestones`.
        label_smoothing: Of the method's `ce` term.
        clip_norm: The largest norm of the gradient.
        density_lr: Of factorised densities (method cifd), as a multiple of `lr`; None: 10 with adamw, 1 with sgd.
        precision: Of the student, and of a live teacher with float32 weights: `float32`, `bf16` (autocast), or `auto`:
            bf16 on a GPU.
        tf32: Let a GPU round the inputs of float32 products to TF32.
        compile: Compile the student with torch.compile.
        cuda_graphs: Compile it, and replay its forward and backward pass as CUDA graphs; the loss and the optimiser are
            not among them. The device's peak memory is then not known.
        device: `cpu`, `cuda`, `cuda:1`; None: the GPU where there is one.
        workers: Workers that decode; None: by the processors.
        seed: Of the split, the weights, the shuffles, dropout and augmentation.
        trust_remote_code: Allow a config of transformers, or the live teacher, to run code of its own.
        events: Who watches.

    Raises:
        InputError: A setting that cannot be used.
        DataError: Data that cannot be used, or without labels.
        ModelError: A student or teacher that cannot be used.
        StoreMissingError: No store, or it lacks what the method needs.
        UnsealedError: The store is not finished.
        MismatchError: The store is of other data, or the run's folder of another training; names the first difference.
        NonFiniteError: The loss became NaN or infinite; the last good weights are kept.
        DiskError: The disk is full, read-only or failing; the last checkpoint is kept.
    """
    optim = OptimConfig(
        optimizer=optimizer,
        lr=lr,
        weight_decay=weight_decay,
        momentum=momentum,
        schedule=schedule,
        warmup_epochs=warmup_epochs,
        milestones=tuple(milestones),
        gamma=gamma,
        clip_norm=clip_norm,
        density_lr=density_lr,
    )
    config = TrainConfig(
        student=student,
        out=Path(out),
        init=None if init is None else str(init),
        method=method,
        settings=dict(settings or {}),
        store=None if store is None else Path(store),
        target=target,
        rdm=_names(rdm),
        rdm_logits=rdm_logits,
        assistants=_names(assistants),
        source=source,
        teacher=None if teacher is None else str(teacher),
        teacher_dtype=teacher_dtype,
        teacher_device_map=teacher_device_map,
        epochs=epochs,
        batch_size=batch_size,
        optim=optim,
        label_smoothing=label_smoothing,
        precision=precision,
        tf32=tf32,
        compile=compile,
        cuda_graphs=cuda_graphs,
        image_size=image_size,
        student_augment=student_augment,
        val_fraction=val_fraction,
        seed=seed,
        device=device,
        workers=workers,
        trust_remote_code=trust_remote_code,
    )
    config.check()
    if teacher is not None and source == "cached":
        mend = "Leave --teacher out, or add --source live; a store is made by `teachonce embed --teacher T`"
        raise InputError(f"teacher {str(teacher)!r} would not be used: the source is cached", mend)
    check_folder(config.out)
    if isinstance(data, str | Path):
        data = open_samples(
            str(data),
            split=split,
            image_column=image_column,
            label_column=label_column,
            key_column=key_column,
            limit=limit,
            events=events,
        )
    return run_training(config, data, events)


def _names(given: Sequence[str] | str) -> tuple[str, ...]:
    """`rdm-10,rdm-1` as ("rdm-10", "rdm-1"); a sequence as it is."""
    return tuple(word.strip() for word in given.split(",")) if isinstance(given, str) else tuple(given)


def run_training(config: TrainConfig, samples: Samples, events: Events = SILENT) -> TrainResult:
    """Train as `config` says, go on with what was begun, or give the result of what is finished.

    Raises:
        TeachonceError: See `train`.
    """
    store = None if config.store is None else open_store(config.store)
    digests = all_digests(samples, events) if store is None else store.digests()
    settings = identify(config, samples, store, digests)
    known = read_run(config.out)
    if known is not None:
        refuse_others(config.out, known, settings)
        result = read_result(config.out)
        if result is not None:
            if store is not None:
                check_data(store, samples, every=False)
            events.info(f"{config.out} is finished: its result is reused")
            return _reused(config.out, result)
        warn_versions(known, events)
    warn_unused(config, store, events)
    if store is not None and config.make_method().needs.teacher:
        tell_unproven(store, (config.target, *config.extras), events)
    device = pick_device(config.device)
    with current(device), allow_tf32(config.tf32), random_kept(device):
        reset_peak(device)
        session = open_session(config, samples, store, digests=digests, events=events, rule=run_rule(known))
        with owned(config.out):
            if known is None:
                write_run(config.out, describe(session, settings, store))
            else:
                refuse_other_teacher(known, session)
            trained = _result(session, session.loop.fit())
            write_json(config.out / RESULT, asdict(trained))
    return trained


def _reused(run: Path, result: Mapping[str, Any]) -> TrainResult:
    mend = "Choose another --out, or remove this folder to train again"
    require_type(TrainResult, dict(result), str(run), mend=mend, within=RESULT)
    known = {field.name: result[field.name] for field in fields(TrainResult) if field.name in result}
    return TrainResult(**{**known, "run": str(run), "reused": True})


def _result(session: Session, entries: Sequence[Mapping[str, Any]]) -> TrainResult:
    """The first epoch is no steady state where there are others: it warms up, compiles, fills caches."""
    steady = entries[1:] or entries
    progress, batches = session.loop.progress, session.loop.batches(0)
    times = [entry["step_ms"] for entry in steady if entry["step_ms"] is not None]
    rows = len(steady) * sum(len(batch) for batch in batches)
    return TrainResult(
        run=str(session.config.out),
        method=session.config.method,
        source=session.config.source,
        epochs=session.config.epochs,
        step_ms=statistics.median(times) if times else None,
        samples_per_s=rows / sum(entry["seconds"] for entry in steady),
        peak_memory_bytes=None if session.config.cuda_graphs else peak_memory_bytes(session.device),
        host_memory_bytes=host_memory_bytes(),
        val_top1=None if progress.best is None else progress.best[0],
        best_epoch=progress.best_epoch,
        seconds=sum(entry["seconds"] for entry in entries),
        train_rows=len(session.rows.train),
        val_rows=len(session.rows.val),
    )

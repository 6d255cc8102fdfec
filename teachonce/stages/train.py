"""Stage two: train a student from a store, from the live teacher, or without a teacher."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from teachonce.cache.store import open_store
from teachonce.data.open import opened_samples
from teachonce.data.samples import Samples
from teachonce.engine.datacheck import check_data, tell_unproven
from teachonce.engine.describe import describe, identify, refuse_other_teacher, warn_unused, warn_versions
from teachonce.engine.device import host_memory_bytes, peak_memory_bytes, pick_device, reset_peak
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
from teachonce.engine.settings import check_training, method_of
from teachonce.errors import InputError
from teachonce.events import SILENT, Events
from teachonce.fsio import write_json
from teachonce.options.train import TrainOptions
from teachonce.options.verb import verb
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


@verb(TrainOptions)
def train(options: TrainOptions, events: Events) -> TrainResult:
    """Train a student; without a store and with `ce`, a teacher.

    Killed or interrupted at any point, the same call goes on after the last finished epoch, on the CPU to the same
    weights bit for bit. A finished run of the same settings is reused. Nothing is written before everything has been
    checked. From a store the teacher's weights are never loaded.

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
    check_training(options)
    if options.teacher is not None and options.source == "cached":
        mend = "Leave --teacher out, or add --source live; a store is made by `teachonce embed --teacher T`"
        raise InputError(f"teacher {options.teacher!r} would not be used: the source is cached", mend)
    check_folder(options.out)
    return run_training(options, opened_samples(options, events), events)


def run_training(config: TrainOptions, samples: Samples, events: Events = SILENT) -> TrainResult:
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
    if store is not None and method_of(config).needs.teacher:
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

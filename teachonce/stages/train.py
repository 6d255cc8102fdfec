"""Stage two: train a student from a store, from the live teacher, or without a teacher."""

import statistics
from collections.abc import Sequence
from dataclasses import replace

from teachonce.cache.store import open_store
from teachonce.data.open import opened_samples
from teachonce.data.samples import Samples
from teachonce.engine.datacheck import check_data, tell_unproven
from teachonce.engine.describe import describe, identify, refuse_other_teacher, warn_unused, warn_versions
from teachonce.engine.device import host_memory_bytes, peak_memory_bytes, pick_device, reset_peak
from teachonce.engine.records import Epoch, TrainResult
from teachonce.engine.rows import all_digests
from teachonce.engine.runfile import RESULT, RUN, check_folder, owned, read_result, read_run, refuse_others
from teachonce.engine.session import Session, open_session
from teachonce.engine.settings import check_training, method_of
from teachonce.errors import InputError
from teachonce.events import SILENT, Events
from teachonce.options.train import TrainOptions
from teachonce.options.verb import verb
from teachonce.processwide import allow_tf32, current, random_kept
from teachonce.records import write


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
    found, known = read_run(config.out), None
    if found is not None:
        known = refuse_others(config.out, found, settings)
        result = read_result(config.out)
        if result is not None:
            if store is not None:
                check_data(store, samples, every=False)
            events.info(f"{config.out} is finished: its result is reused")
            return replace(result, run=str(config.out), reused=True)
        warn_versions(known, events)
    warn_unused(config, store, events)
    if store is not None and method_of(config).needs:
        tell_unproven(store, (config.target, *config.extras), events)
    device = pick_device(config.device)
    with current(device), allow_tf32(config.tf32), random_kept(device):
        reset_peak(device)
        rule = known.resizing if known else None
        session = open_session(config, samples, store, digests=digests, events=events, rule=rule)
        with owned(config.out):
            if known is None:
                write(config.out / RUN, describe(session, settings, store))
            else:
                refuse_other_teacher(known, session)
            trained = _result(session, session.loop.fit())
            write(config.out / RESULT, trained)
    return trained


def _result(session: Session, entries: Sequence[Epoch]) -> TrainResult:
    """The first epoch is no steady state where there are others: it warms up, compiles, fills caches."""
    steady = entries[1:] or entries
    progress, batches = session.loop.trainer.progress, session.loop.batches(0)
    times = [entry.step_ms for entry in steady if entry.step_ms is not None]
    rows = len(steady) * sum(len(batch) for batch in batches)
    return TrainResult(
        run=str(session.config.out),
        method=session.config.method,
        source=session.config.source,
        epochs=session.config.epochs,
        step_ms=statistics.median(times) if times else None,
        samples_per_s=rows / _seconds(steady),
        peak_memory_bytes=None if session.config.cuda_graphs else peak_memory_bytes(session.device),
        host_memory_bytes=host_memory_bytes(),
        val_top1=None if progress.best is None or len(progress.best) < 2 else progress.best[0],
        best_epoch=progress.best_epoch,
        seconds=_seconds(entries),
        train_rows=len(session.rows.train),
        val_rows=len(session.rows.val),
    )


def _seconds(entries: Sequence[Epoch]) -> float:
    return sum(entry.seconds or 0.0 for entry in entries)

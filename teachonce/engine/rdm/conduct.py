"""The course of one call: what is there, train what is missing, write it, seal it, clear up."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from teachonce.cache.mark import clear_mark
from teachonce.cache.seal import remove_tree
from teachonce.cache.targets import TargetRecord, target_names
from teachonce.engine.describe import warn_versions
from teachonce.engine.rdm.fit import Fit
from teachonce.engine.rdm.job import Job, work_root
from teachonce.engine.rdm.measure import teacher_top1
from teachonce.engine.rdm.output import begin, finish, repair, require_room
from teachonce.engine.rdm.stored import places
from teachonce.engine.records import RdmRun
from teachonce.engine.runfile import RUN, owned, read_run, versions
from teachonce.engine.stage_one.runs import GivenOptions, record_run
from teachonce.errors import BusyError, CorruptError, DiskError
from teachonce.events import Events
from teachonce.processwide import allow_tf32, current, random_kept
from teachonce.records import write
from teachonce.types import JsonObject

_WAIT = "Wait for it: the same command then reuses what it made"


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a call did."""

    records: Mapping[str, TargetRecord]
    """The sealed targets, in the order asked for."""
    reused: frozenset[str]
    """Those that were sealed before."""
    seconds: float
    """Of the epochs that were trained, validation not included; 0 where none had to be."""


def conduct(job: Job, events: Events, options: JsonObject, *, mend: bool = False) -> Done:
    """Train, write and seal what is missing; with `mend`, also what is damaged of what was begun before.

    Args:
        job: What is asked for.
        events: Who watches.
        options: What `rdm` was given, as JSON; for the run record.
        mend: Whether damaged targets are mended.

    Raises:
        TeachonceError: See `rdm`.
    """
    for name in target_names(job.store.path) if mend else ():
        if name in job.names:
            repair(job, name, events)
    _refuse_orphans(job)
    with suppress(DiskError):
        clear_mark(job.store.path)
    missing, seconds = len(job.names) - len(_sealed(job)), 0.0
    if missing:
        require_room(job, missing)
        with owned(job.work, _WAIT):
            reused = _reused(job, events)  # only now: another process may have made some meanwhile
            seconds = _make(job, reused, events)
            _record(job, reused, events, {"options": GivenOptions(others=options), "seconds": round(seconds, 3)})
            remove_tree(job.work)
    else:
        reused = _reused(job, events)
        _clear(job)
    _tell_others(job, events)
    records = {name: job.store.sealed(name) for name in job.names}
    return Done(records=records, reused=reused, seconds=seconds)


def _refuse_orphans(job: Job) -> None:
    """Before anything is trained: blocks of a target whose document was lost are not written over.

    Raises:
        CorruptError: There are such blocks.
    """
    there, root = target_names(job.store.path), job.store.path
    for name in job.names:
        if name not in there and any((root / "journal" / name).glob("*.json")):
            message = f"{root / 'targets' / name}/zarr.json is missing, but the target has blocks"
            raise CorruptError(message, f"Restore it from a copy, or remove {places(name)} of the store")


def _sealed(job: Job) -> frozenset[str]:
    return frozenset(name for name, record in job.known().items() if record.sealed)


def _reused(job: Job, events: Events) -> frozenset[str]:
    """What is sealed, and say so."""
    sealed = _sealed(job)
    if sealed:
        events.info(f"reused: {', '.join(name for name in job.names if name in sealed)}")
    return sealed


def _make(job: Job, reused: frozenset[str], events: Events) -> float:
    """Train, write and seal all but what is there; the seconds of the epochs."""
    seconds = _train(job, events) if len(job.known()) < len(job.names) else 0.0
    with current(job.device), allow_tf32(allowed=False):
        for name in job.names:
            if name not in reused:
                finish(job, job.store.record(name), events)
    return seconds


def _record(job: Job, reused: frozenset[str], events: Events, facts: Mapping[str, Any]) -> None:
    """Tell the run record beside the store what was made, together, and how long it trained."""
    made = [name for name in job.names if name not in reused]
    if made:
        record_run(job.store.path, events, targets=made, device=str(job.device), outcome="sealed", **facts)


def _train(job: Job, events: Events) -> float:
    """Train the RDMs that have no target yet, and begin their targets; the seconds of the epochs."""
    run, there = read_run(job.work), job.known()
    weights = {name: weight for name, weight in sorted(job.names.items()) if name not in there}
    if not isinstance(run, RdmRun) or not weights.keys() <= run.rdms.keys():
        remove_tree(job.work / "checkpoints")  # of RDMs without one that was there then, and was removed since
        run = RdmRun(rdms=weights, settings=job.fingerprint(0.0), versions=versions())
        write(job.work / RUN, run)
    else:
        warn_versions(run, events)
    with current(job.device), allow_tf32(allowed=False), random_kept(job.device):
        trained = Fit(job, run.rdms, job.work, events).run()
    begin(job, trained, teacher_top1(job))
    return trained.seconds


def _clear(job: Job) -> None:
    """Remove what a kill after the last seal left, if that can be; whoever holds it does it, and nothing needs it."""
    if job.work.exists():
        with suppress(BusyError, DiskError), owned(job.work):
            remove_tree(job.work)


def _tell_others(job: Job, events: Events) -> None:
    """Remove the folder around the trainings where it is empty; else say that there are others."""
    root = work_root(job.store)
    with suppress(OSError):
        root.rmdir()
    if root.exists():
        events.info(f"{root} has unfinished trainings of other RDMs: their commands resume them")

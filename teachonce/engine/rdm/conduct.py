"""The course of one call: what is there, train what is missing, write it, seal it, clear up."""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import torch

from teachonce.cache.targets import TargetRecord
from teachonce.engine.describe import warn_versions
from teachonce.engine.rdm.fit import Fit
from teachonce.engine.rdm.job import Job, work_root
from teachonce.engine.rdm.measure import teacher_top1
from teachonce.engine.rdm.output import begin, finish, require_room
from teachonce.engine.runfile import owned, read_run, write_run
from teachonce.events import Events
from teachonce.fsio import disk_errors


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a call did."""

    records: Mapping[str, TargetRecord]
    """The sealed targets, in the order asked for."""
    reused: frozenset[str]
    """Those that were sealed before."""
    seconds: float
    """Of the epochs that were trained, validation not included; 0 where none had to be."""


def conduct(job: Job, events: Events) -> Done:
    """Train, write and seal what is missing.

    Raises:
        TeachonceError: See `rdm`.
    """
    known = job.known()
    reused = frozenset(name for name, record in known.items() if record.sealed)
    seconds = 0.0
    if reused:
        events.info(f"reused as they are: {', '.join(name for name in job.config.names if name in reused)}")
    if len(reused) < len(job.config.names):
        require_room(job, len(job.config.names) - len(reused))
        with owned(job.work, "Wait for it: the same command then reuses what it made"):
            seconds = _train(job, events) if len(known) < len(job.config.names) else 0.0
            for name in job.config.names:
                if name not in reused:
                    finish(job, job.store.record(name), events)
    _clear(job)
    records = {name: job.store.sealed(name) for name in job.config.names}
    return Done(records=records, reused=reused, seconds=seconds)


def _train(job: Job, events: Events) -> float:
    """Train the RDMs that have no target yet, and begin their targets; the seconds of the epochs."""
    run = read_run(job.work)
    if run is None:
        there = job.known()
        weights = {name: weight for name, weight in sorted(job.config.names.items()) if name not in there}
        run = {"rdms": weights, "settings": job.fingerprint(0.0)}
        write_run(job.work, run)
    else:
        warn_versions(run, events)
    with torch.random.fork_rng([job.device] if job.device.type == "cuda" else []):
        trained = Fit(job, run["rdms"], job.work, events).run()
    begin(job, trained, teacher_top1(job))
    return trained.seconds


def _clear(job: Job) -> None:
    """Remove the folder of the training, and the one around it where nothing else is under way."""
    with disk_errors(job.work):
        if job.work.exists():
            shutil.rmtree(job.work)
    with suppress(OSError):
        work_root(job.store).rmdir()

"""The probes of one job in their order, and what they come to."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch

from teachonce.benchmarks.estimate.cost import Costing, buffered_bytes, changed, size_of_block
from teachonce.benchmarks.estimate.disk import probe_disk
from teachonce.benchmarks.estimate.memory import teacher_memory
from teachonce.benchmarks.estimate.passes import probe_pass
from teachonce.benchmarks.estimate.records import Cost, Estimate, StudentCost, TeacherMemory
from teachonce.benchmarks.estimate.result import sentence
from teachonce.benchmarks.origin import device_name, origin
from teachonce.engine.device import host_memory_bytes, peak_memory_bytes, reset_peak
from teachonce.engine.stage_one.conduct import forward_of, is_complete, pass_settings
from teachonce.engine.stage_one.contents import teacher_attributes
from teachonce.engine.stage_one.job import Job
from teachonce.engine.stage_one.stored import check_digests
from teachonce.events import Events, Task
from teachonce.types import StoredDtype

_VIEWS = (1, 2, 4, 8)
_MOST_VIEWS = 8  # that are run; a batch of hundreds takes longer than anybody waits, and each view as long as another


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the probes of a job came to."""

    costing: Costing
    rows_left: int
    cost: Cost
    """Of the rows that are left."""
    peak_memory_bytes: int | None
    host_memory_bytes: int
    memory: TeacherMemory


def probe(job: Job, *, workers: int | None, seconds: float, events: Events, task: Task) -> Found:
    """Probe the pass, then the disk.

    Args:
        job: Checked.
        workers: Workers that decode.
        seconds: How long the pass is looked at.
        events: Who watches.
        task: Is told of every probe.

    Raises:
        TeachonceError: As `embed`.
    """
    if job.store is not None:
        check_digests(job.data, events)
    forward = forward_of(job)
    settings = pass_settings(job, forward, events)
    task.note("decoding and teacher")
    reset_peak(job.device)
    few = job if job.spec.views <= _MOST_VIEWS else changed(job, _MOST_VIEWS, job.options.dtype)
    found = probe_pass(few, forward, batch_size=settings["batch_size"], workers=workers, seconds=seconds)
    device_bytes, host_bytes = peak_memory_bytes(job.device), host_memory_bytes() + buffered_bytes(job)
    memory = teacher_memory(job, forward, settings["batch_size"])
    task.advance()
    task.note("disk")
    disk = probe_disk(job, settings)
    task.advance()
    costing = Costing(job=job, settings=settings, info=_info(job), found=found, disk=disk)
    left = _rows_left(job)
    return Found(
        costing=costing,
        rows_left=left,
        cost=costing.of(job, left),
        peak_memory_bytes=device_bytes,
        host_memory_bytes=host_bytes,
        memory=memory,
    )


def _info(job: Job) -> dict[str, Any]:
    """What the target records of its teacher, or will."""
    if job.record is None:
        return teacher_attributes(job.teacher)
    others = {*job.record.settings, "classes", "per_class"}
    return {key: value for key, value in job.record.attributes.items() if key not in others}


def _rows_left(job: Job) -> int:
    """Rows of the blocks that are not committed in full."""
    if is_complete(job):
        return 0
    done: set[int] = set()
    if job.store is not None and job.record is not None:
        done = set(job.store.journal.present()) & set(job.record.journal.present())
    return job.rows(block for block in job.blocks if block not in done)


def told(found: Found, student: StudentCost | None, events: Events) -> Estimate:
    """The estimate, in words and numbers; what may be wrong is told as a warning, too.

    Args:
        found: The probes.
        student: Who is to learn from it.
        events: Who watches.
    """
    costing, cost, job = found.costing, found.cost, found.costing.job
    free = _free_bytes(job.path)
    warnings = _warnings(cost, free)
    for warning in warnings:
        events.warn(warning)
    return Estimate(
        **vars(origin(Estimate.kind, job.device)),
        verdict=sentence(cost, student),
        teacher=job.teacher.info.name,
        data=dict(job.samples.description),
        device=device_name(job.device),
        compute_dtype=costing.settings["compute_dtype"],
        memory=found.memory,
        threads=torch.get_num_threads(),
        rows=job.samples.rows,
        rows_left=found.rows_left,
        views=job.spec.views,
        dtype=job.options.dtype,
        batch_size=costing.settings["batch_size"],
        block_rows=job.spec.block_rows,
        seconds=cost.seconds,
        hours=cost.seconds / 3600,
        samples_per_s=found.rows_left / cost.seconds if cost.seconds else 0.0,
        store_bytes=cost.store_bytes,
        bytes_per_sample=cost.store_bytes / job.samples.rows,
        free_bytes=free,
        peak_memory_bytes=found.peak_memory_bytes,
        host_memory_bytes=found.host_memory_bytes,
        limit=cost.limit,
        alone_samples_per_s=_alone(costing),
        probe_rows=costing.found.rows,
        table=costing.table(tuple(sorted({*_VIEWS, job.spec.views})), get_args(StoredDtype)),
        student=student,
        warnings=warnings,
    )


def _alone(costing: Costing) -> dict[str, float]:
    """Rows a second of each of the three that work side by side."""
    job, found = costing.job, costing.found
    block_s = costing.disk.block_seconds(size_of_block(job))
    return {
        "teacher": 1 / (job.spec.views * found.teacher_s),
        "decode": 1 / found.decode_s,
        "disk": min(job.spec.block_rows, job.spec.rows) / block_s,
    }


def _warnings(cost: Cost, free: int) -> list[str]:
    if cost.seconds and cost.store_bytes > free:
        return [f"the store takes {cost.store_bytes / 1e9:.3g} GB, its disk has {free / 1e9:.3g} GB free"]
    return []


def _free_bytes(path: Path) -> int:
    place = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    return shutil.disk_usage(place).free

"""Stage one: run the teacher once over the data and keep its outputs in a store."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from teachonce.data.memory import available_memory
from teachonce.data.open import opened_samples
from teachonce.data.samples import Samples
from teachonce.engine.device import pick_compute_dtype, pick_device, pick_precision, warn_tf32
from teachonce.engine.stage_one.conduct import conduct
from teachonce.engine.stage_one.job import Job, repaired_store, store_at
from teachonce.engine.stage_one.options import check_pass
from teachonce.engine.stage_one.remarks import score_teacher
from teachonce.errors import DataError, InputError
from teachonce.events import SILENT, Events
from teachonce.models import Teacher, load_teacher
from teachonce.models.precision import parse_teacher_dtype
from teachonce.options.embed import EmbedOptions
from teachonce.options.verb import verb
from teachonce.options.words import data_options, given_options
from teachonce.processwide import allow_tf32, current
from teachonce.types import TeacherDtype


@dataclass(frozen=True, kw_only=True)
class EmbedResult:
    """What a teacher pass did."""

    store: str
    target: str
    rows: int
    """Of the blocks that were asked for."""
    failed: int
    """Rows of the whole target that gave no image."""
    reused_blocks: int
    """Blocks that were there already."""
    seconds: float
    """From the first row read to the seal; loading is not counted."""
    samples_per_s: float
    """Rows that were run in this call, per second; 0 where all were there."""
    teacher_top1: float | None
    """The teacher's own accuracy on the labels (view 0); None without labels, logits, or the same number of classes."""
    sealed: bool
    """Whether the target is complete; False where other processes still have blocks to fill."""


@verb(EmbedOptions)
def embed(options: EmbedOptions, events: Events) -> EmbedResult:
    """Run a teacher once over data, and keep its embeddings and logits in a store.

    Killed or interrupted at any point, the same call resumes where it stopped; a complete target is reused after its
    data has been compared. Nothing is written before everything has been checked and the first block is there.

    Raises:
        InputError: A setting that cannot be used.
        DataError: Data that cannot be used.
        ModelError: A teacher that cannot be used.
        MismatchError: The store was made from other things; names the first field or row.
        NonFiniteError: The teacher gives NaN or infinity, or the stored dtype overflows; names the row.
        FailedSamplesError: Too many samples failed; the same call with a larger `max_failed` seals.
        DiskError: Too little space, or the disk is read-only or failing.
        BusyError: Another process writes the same blocks.
    """
    job = open_job(options, events)
    kept = job.teacher.info.dtype
    if kept != "float32" and options.precision != "auto":
        events.warn(f"--precision has no effect: it applies to float32 weights, and the teacher's are {kept}")
    warn_tf32(options.tf32, job.device, job.compute_dtype != "float32", events)
    with current(job.device), allow_tf32(options.tf32):
        done = conduct(job, events, _told(given_options(options), job))
    return EmbedResult(
        store=str(job.path),
        target=options.name,
        rows=job.rows(job.blocks),
        failed=done.failed,
        reused_blocks=len(job.blocks) - done.blocks_run,
        seconds=done.seconds,
        samples_per_s=done.rows_run / done.seconds if done.rows_run else 0.0,
        teacher_top1=score_teacher(job, events) if done.is_sealed else None,
        sealed=done.is_sealed,
    )


def _told(given: Mapping[str, Any], job: Job) -> dict[str, Any]:
    """What a call was given; a loaded teacher and opened data are told by their names."""
    opened = {} if "data" in given else data_options(job.samples.description)
    info = job.teacher.info
    dtype = {} if info.dtype == "float32" else {"teacher_dtype": info.dtype}
    return {"teacher": info.name, **dtype, **given, **opened}


def open_job(options: EmbedOptions, events: Events = SILENT) -> Job:
    """What `embed` is asked for, with data and teacher opened, compared with the store there; nothing is written.

    Raises:
        TeachonceError: As `embed`, but for what only the pass itself can tell.
    """
    check_pass(options)
    device, kind = pick_device(options.device), parse_teacher_dtype(options.teacher_dtype)
    if isinstance(options.teacher, Teacher):
        _check_loaded(options.teacher, options)
    pick_precision(options.precision, device)  # before anything is read
    existing = None if options.repair else store_at(options.store)
    samples = opened_samples(options, events)
    if samples.rows < 1:
        raise DataError("expected at least one sample, got none", "Choose data with rows")
    teacher = options.teacher if isinstance(options.teacher, Teacher) else _loaded(options, device, kind, samples)
    job = Job(
        options=options,
        samples=samples,
        teacher=teacher.to(device),
        device=device,
        compute_dtype=pick_compute_dtype(options.precision, device, teacher.info.dtype),
        store=existing,
    )
    if options.repair:
        job = replace(job, store=repaired_store(job))
    job.check()
    return job


def _check_loaded(teacher: Teacher, options: EmbedOptions) -> None:
    """Refuse options that a loaded teacher cannot follow any more."""
    if options.teacher_dtype not in ("float32", teacher.info.dtype):
        message = f"teacher_dtype is {options.teacher_dtype}, and the loaded teacher's weights are {teacher.info.dtype}"
        raise InputError(message, "Give its name, or load it with load_teacher(..., dtype=...)")
    if options.teacher_device_map is not None:
        raise InputError(
            "a loaded teacher is already placed on a device, got a teacher_device_map", "Give the teacher's name"
        )


def _loaded(options: EmbedOptions, device: torch.device, dtype: TeacherDtype, samples: Samples) -> Teacher:
    return load_teacher(
        str(options.teacher),
        device=device,
        dtype=dtype,
        device_map=options.teacher_device_map,
        memory=available_memory(),
        embedding=options.embedding,
        trust_remote_code=options.trust_remote_code,
        revision=options.revision,
        image_size=options.image_size,
        classes=samples.classes,
        seed=options.seed,
    )

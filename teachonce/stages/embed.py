"""Stage one: run the teacher once over the data and keep its outputs in a store."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from teachonce.data.memory import available_memory
from teachonce.data.open import open_samples
from teachonce.data.samples import Samples
from teachonce.engine.device import pick_compute_dtype, pick_device, pick_precision, warn_tf32
from teachonce.engine.stage_one.conduct import conduct
from teachonce.engine.stage_one.job import Job, repaired_store, store_at
from teachonce.engine.stage_one.options import Request
from teachonce.engine.stage_one.remarks import score_teacher
from teachonce.engine.words import data_options, given_options
from teachonce.errors import DataError, InputError
from teachonce.events import SILENT, Events
from teachonce.models import Teacher, load_teacher
from teachonce.models.precision import parse_teacher_dtype
from teachonce.processwide import allow_tf32, current


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


def embed(  # noqa: PLR0913 - one parameter an option
    *,
    teacher: str | Path | Teacher,
    data: str | Path | Samples,
    store: str | Path,
    name: str = "teacher",
    split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    key_column: str | None = None,
    limit: int | None = None,
    views: int | None = None,
    augment: str | None = None,
    dtype: str = "float16",
    batch_size: int | None = None,
    block_rows: int | None = None,
    per_class: int | None = 100,
    max_failed: int = 0,
    device: str | None = None,
    precision: str = "auto",
    teacher_dtype: str = "float32",
    tf32: bool = False,
    teacher_device_map: str | None = None,
    workers: int | None = None,
    seed: int = 0,
    embedding: str = "auto",
    trust_remote_code: bool = False,
    revision: str | None = None,
    image_size: int | None = None,
    blocks: str | None = None,
    repair: bool = False,
    events: Events = SILENT,
) -> EmbedResult:
    """Run a teacher once over data, and keep its embeddings and logits in a store.

    Killed or interrupted at any point, the same call resumes where it stopped; a complete target is reused after its
    data has been compared. Nothing is written before everything has been checked and the first block is there.

    Args:
        teacher: See `load_teacher`, or a loaded one, which is moved to the device.
        data: See `open_samples`, or opened samples; then `split`, the columns and `limit` are not looked at.
        store: Folder of the store; made if it is not there.
        name: The target's name.
        split: Which split.
        image_column: The column of images.
        label_column: The column of labels; `none`: no labels.
        key_column: A column that identifies the rows.
        limit: The first so many rows.
        views: Views of each image; None: those of the store that is there, else one.
        augment: How views are drawn, such as `crop=0.35,flip`; None: the evaluation view.
        dtype: Stored dtype: float16, bfloat16 or float32.
        batch_size: Images the teacher sees at once; None: found, and then kept with the target.
        block_rows: Rows of a block, a power of two; None: so many that an embedding chunk is about 4 MiB.
        per_class: The class means are over the first so many rows of each class; None: all.
        max_failed: How many samples may fail to decode.
        device: `cpu`, `cuda`, `cuda:1`; None: the GPU where there is one.
        precision: How float32 weights compute: `float32`, `bf16` (autocast), or `auto`: bf16 on a GPU.
        teacher_dtype: Of the teacher's weights, which compute in it: `float32`, `bf16` or `fp16`. What is stored has
            `dtype`.
        tf32: Let a GPU round the inputs of float32 products to TF32; kept with the target.
        teacher_device_map: Where weights lie that do not fit: `auto`, perhaps with limits (`auto,cpu=4GB`); see
            `load_teacher`. None: all on the device.
        workers: Workers that decode; None: by the processors.
        seed: Of the views, and of a built-in teacher's random weights.
        embedding: Which output of the teacher is its embedding.
        trust_remote_code: Allow a hub teacher to run code of its own.
        revision: Branch, tag or commit of a hub teacher.
        image_size: Pixels, of built-in teachers and factories.
        blocks: `FIRST:END` or `FIRST-LAST`: fill these blocks only, so that several processes can fill one store (give
            them all the same `batch_size`). Whoever completes the store seals it.
        repair: Mend a damaged store: documents are written again, blocks whose bytes are not those of their records
            are run again, and nothing else; then the store is byte for byte what it was.
        events: Who watches.

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
    given = given_options(embed, locals())
    request = Request(
        name=name,
        dtype=dtype,
        views=views,
        augment=augment,
        batch_size=batch_size,
        block_rows=block_rows,
        per_class=per_class,
        max_failed=max_failed,
        blocks=blocks,
        seed=seed,
        tf32=tf32,
        repair=repair,
    )
    job = open_job(
        request,
        teacher=teacher,
        data=data,
        path=Path(store),
        split=split,
        image_column=image_column,
        label_column=label_column,
        key_column=key_column,
        limit=limit,
        device=device,
        precision=precision,
        teacher_dtype=teacher_dtype,
        teacher_device_map=teacher_device_map,
        embedding=embedding,
        trust_remote_code=trust_remote_code,
        revision=revision,
        image_size=image_size,
        events=events,
    )
    kept = job.teacher.info.dtype
    if kept != "float32" and precision != "auto":
        events.warn(f"--precision has no effect: it applies to float32 weights, and the teacher's are {kept}")
    warn_tf32(tf32, job.device, job.compute_dtype != "float32", events)
    with current(job.device), allow_tf32(tf32):
        done = conduct(job, workers, events, _told(given, job))
    return EmbedResult(
        store=str(job.path),
        target=name,
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


def open_job(  # noqa: PLR0913 - one parameter an option
    request: Request,
    *,
    teacher: str | Path | Teacher,
    data: str | Path | Samples,
    path: Path,
    split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    key_column: str | None = None,
    limit: int | None = None,
    device: str | None = None,
    precision: str = "auto",
    teacher_dtype: str = "float32",
    teacher_device_map: str | None = None,
    embedding: str = "auto",
    trust_remote_code: bool = False,
    revision: str | None = None,
    image_size: int | None = None,
    events: Events = SILENT,
) -> Job:
    """What `embed` is asked for, with data and teacher opened, compared with the store at `path`; nothing is written.

    Raises:
        TeachonceError: As `embed`, but for what only the pass itself can tell.
    """
    target_device = pick_device(device)
    kind = parse_teacher_dtype(teacher_dtype)
    if isinstance(teacher, Teacher) and kind not in ("float32", teacher.info.dtype):
        message = f"teacher_dtype is {kind}, and the loaded teacher's weights are {teacher.info.dtype}"
        raise InputError(message, "Give its name, or load it with load_teacher(..., dtype=...)")
    if isinstance(teacher, Teacher) and teacher_device_map is not None:
        raise InputError(
            "a loaded teacher is already placed on a device, got a teacher_device_map", "Give the teacher's name"
        )
    pick_precision(precision, target_device)  # before anything is read
    existing = None if request.repair else store_at(path)
    samples = data
    if isinstance(samples, str | Path):
        samples = open_samples(
            str(samples),
            split=split,
            image_column=image_column,
            label_column=label_column,
            key_column=key_column,
            limit=limit,
            events=events,
        )
    if samples.rows < 1:
        raise DataError("expected at least one sample, got none", "Choose data with rows")
    if isinstance(teacher, str | Path):
        teacher = load_teacher(
            str(teacher),
            device=target_device,
            dtype=kind,
            device_map=teacher_device_map,
            memory=available_memory(),
            embedding=embedding,
            trust_remote_code=trust_remote_code,
            revision=revision,
            image_size=image_size,
            classes=samples.classes,
            seed=request.seed,
        )
    job = Job(
        request=request,
        path=path,
        samples=samples,
        teacher=teacher.to(target_device),
        device=target_device,
        compute_dtype=pick_compute_dtype(precision, target_device, teacher.info.dtype),
        store=existing,
    )
    if request.repair:
        job = replace(job, store=repaired_store(job))
    job.check()
    return job

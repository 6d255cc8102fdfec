"""Before the teacher runs: how long, how many bytes, what limits, and after how many epochs it has paid."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teachonce.benchmarks.estimate.found import probe, told
from teachonce.benchmarks.estimate.result import Estimate
from teachonce.benchmarks.estimate.steps import StudentPlan, measure_steps, measured_rows, student_cost
from teachonce.data.open import open_samples
from teachonce.data.samples import Samples
from teachonce.engine.settings import TrainConfig, Value
from teachonce.engine.stage_one.options import Request
from teachonce.errors import InputError
from teachonce.events import SILENT, Events
from teachonce.methods.base import METHODS
from teachonce.models import Teacher
from teachonce.places import require_writable
from teachonce.stages.embed import open_job

_NOWHERE = ".teachonce-estimate.zarr"  # in the working folder, where no store is named; nothing is made of this name


def estimate(  # noqa: PLR0913 - one parameter an option
    *,
    teacher: str | Path | Teacher,
    data: str | Path | Samples,
    store: str | Path | None = None,
    split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    key_column: str | None = None,
    limit: int | None = None,
    name: str = "teacher",
    views: int | None = None,
    augment: str | None = None,
    dtype: str = "float16",
    teacher_batch: int | None = None,
    block_rows: int | None = None,
    per_class: int | None = 100,
    embedding: str = "auto",
    trust_remote_code: bool = False,
    revision: str | None = None,
    image_size: int | None = None,
    student: str | None = None,
    method: str | None = None,
    settings: Mapping[str, Value] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    student_image_size: int | None = None,
    seconds: float = 10.0,
    device: str | None = None,
    precision: str = "auto",
    teacher_dtype: str = "float32",
    teacher_device_map: str | None = None,
    workers: int | None = None,
    seed: int = 0,
    events: Events = SILENT,
) -> Estimate:
    """Tell what `embed` will take, from some batches through its real path and some blocks onto its real disk.

    The batches are spread over the data; decoding and teacher work side by side as they will, and what the first
    batches take to get going is told apart from the steady pace. A few blocks of the store's real size are written
    beside where it will be, and removed. The bytes of the store are computed from its format, not probed. With a
    student, its steps from the cache and with the live teacher are timed on two batches of the data that are resident.
    Nothing is left behind.

    Args:
        teacher: See `embed`; with a student a name or a folder, since the live teacher is loaded again.
        data: See `embed`; with a student what `open_samples` opens.
        store: Where the store will be, or is; None: a new one in the working folder.
        split: See `embed`; so are the columns, `limit`, `name`, `views`, `augment`, `dtype`, `block_rows`, `per_class`,
            `embedding`, `trust_remote_code`, `revision`, `device`, `precision`, `teacher_dtype`, `workers`
            and `seed`.
        image_column: See `embed`.
        label_column: See `embed`.
        key_column: See `embed`.
        limit: See `embed`.
        name: See `embed`.
        views: See `embed`.
        augment: See `embed`.
        dtype: See `embed`.
        teacher_batch: Images the teacher sees at once; None: found, as `embed` does.
        block_rows: See `embed`.
        per_class: See `embed`.
        embedding: See `embed`.
        trust_remote_code: See `embed`.
        revision: See `embed`.
        image_size: Pixels, of built-in teachers and factories.
        student: Who is to learn; None: break-even is not told.
        method: How; see `train`. None: kd. It and the next four are refused without a student.
        settings: The method's.
        epochs: Of one student; None: 10.
        batch_size: Rows of a step of the student; None: 128.
        student_image_size: Pixels a side that the student sees.
        seconds: How long the pass is probed; at least three batches after the first. Longer is surer.
        device: See `embed`.
        precision: See `embed`.
        teacher_dtype: See `embed`.
        teacher_device_map: See `embed`.
        workers: See `embed`.
        seed: See `embed`.
        events: Who watches.

    Raises:
        InputError: A setting that cannot be used.
        TeachonceError: As `embed`; with a student as `train`.
    """
    if seconds <= 0:
        raise InputError(f"seconds must be more than 0, got {seconds}", "Use 10, for example")
    plan = None
    if student is not None:
        plan = StudentPlan(
            student=student,
            method="kd" if method is None else method,
            settings=dict(settings or {}),
            epochs=10 if epochs is None else epochs,
            batch_size=128 if batch_size is None else batch_size,
            image_size=student_image_size,
        )
        _check_loadable(teacher, data, image_size)
        if METHODS[plan.method].takes is not None:
            why = "neither their losses nor their training are in the estimate; `teachonce bench live` has both"
            events.warn(f"{plan.method} is measured with the teacher's targets only, without RDMs: {why}")
    else:
        own = {"batch_size": batch_size, "method": method, "set": settings or None, "epochs": epochs}
        _refuse_without_student(own | {"student_image_size": student_image_size})
    request = Request(
        name=name,
        dtype=dtype,
        views=views,
        augment=augment,
        batch_size=teacher_batch,
        block_rows=block_rows,
        per_class=per_class,
        max_failed=0,
        blocks=None,
        seed=seed,
    )
    opened: dict[str, Any] = {
        "split": split,
        "image_column": image_column,
        "label_column": label_column,
        "key_column": key_column,
    }
    job = open_job(
        request,
        teacher=teacher,
        data=data,
        path=Path(_NOWHERE if store is None else store),
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
        **opened,
    )
    require_writable(job.path)
    with events.task("estimate", total=2 if plan is None else 3, unit="probes") as task:
        found = probe(job, workers=workers, seconds=seconds, events=events, task=task)
        if plan is None:
            return told(found, None, events)
        samples = open_samples(str(data), limit=min(measured_rows(plan), job.samples.rows), **opened)
        machine: dict[str, Any] = {"device": device, "precision": precision, "workers": workers, "seed": seed}
        machine |= {"trust_remote_code": trust_remote_code, "teacher_dtype": teacher_dtype}
        machine["teacher_device_map"] = teacher_device_map
        config = TrainConfig(student=plan.student, out=job.path, **machine)
        task.note("steps from the cache and with the live teacher")
        step_ms = measure_steps(plan, teacher=str(teacher), samples=samples, config=config, seconds=seconds / 2)
        task.advance()
    return told(
        found, student_cost(plan, rows=job.samples.rows, stage_one_s=found.cost.seconds, step_ms=step_ms), events
    )


def _refuse_without_student(given: Mapping[str, object]) -> None:
    """Raise an InputError that names the first option that only a student has."""
    for name, value in given.items():
        if value is not None:
            mend = "Use teacher_batch for the teacher's" if name == "batch_size" else "Add --student S, or leave it out"
            raise InputError(f"{name} is the student's, and none was given", mend)


def _check_loadable(teacher: str | Path | Teacher, data: str | Path | Samples, image_size: int | None) -> None:
    """Whether teacher and data can be opened again for the live arm.

    Raises:
        InputError: They are objects, or the teacher's image size is beside its name.
    """
    if not isinstance(teacher, str | Path) or not isinstance(data, str | Path):
        raise InputError("with a student, teacher and data are opened again", "Give their names, or leave student out")
    if image_size is not None:
        mend = "Name it in the teacher's spec (vit:...,size=224), or leave --student out"
        raise InputError(f"the live teacher has no image size beside its name, got {image_size}", mend)

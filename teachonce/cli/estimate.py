"""`teachonce estimate`: what stage one will take, before the teacher runs."""

from pathlib import Path
from typing import Annotated

from typer import Option

from teachonce.cli import options as shared
from teachonce.cli.embed import PerClass, Teacher, parse_per_class
from teachonce.cli.frame import finish, work
from teachonce.cli.train import Settings, parse_settings
from teachonce.console.estimate import estimate_parts

STUDENT = "Student"


def estimate(  # noqa: PLR0913  (one parameter an option)
    teacher: Teacher,
    data: shared.Data,
    store: Annotated[
        Path | None,
        Option(
            help="Path of the store to be made; its disk is measured (the working folder if absent).", metavar="STORE"
        ),
    ] = None,
    name: Annotated[str, Option(help="Name of the target in the store.")] = "teacher",
    split: shared.Split = None,
    image_column: shared.ImageColumn = None,
    label_column: shared.LabelColumn = None,
    key_column: shared.KeyColumn = None,
    limit: shared.Limit = None,
    views: Annotated[int | None, Option(min=1, help="Views per image; one if absent.")] = None,
    augment: Annotated[str | None, Option(help="Random augmentation of the views, such as crop=0.35,flip.")] = None,
    dtype: Annotated[shared.Dtype, Option(help="Stored dtype.")] = shared.Dtype.float16,
    teacher_batch: Annotated[
        int | None, Option(min=1, help="Rows in a teacher batch; chosen automatically if absent.")
    ] = None,
    block_rows: Annotated[
        int | None, Option(min=1, help="Rows per block, a power of two; chosen automatically if absent.")
    ] = None,
    per_class: PerClass = "100",
    teacher_dtype: shared.TeacherDtypeOption = shared.TeacherDtype.float32,
    embedding: Annotated[str, Option(help="auto, cls, pooler, mean, projected (CLIP) or penultimate.")] = "auto",
    revision: Annotated[str | None, Option(help="Revision of a hub teacher.")] = None,
    trust_remote_code: shared.TrustRemoteCode = False,
    image_size: Annotated[int | None, Option(min=1, help="Image size of built-in teachers, in pixels.")] = None,
    seconds: Annotated[
        float, Option(min=0.1, help="Measuring time of the teacher pass; longer is more accurate.")
    ] = 10.0,
    student: Annotated[
        str | None,
        Option(
            help="Also estimate break-even with this student; see train.", rich_help_panel=STUDENT, metavar="STUDENT"
        ),
    ] = None,
    method: Annotated[str | None, Option(help="Method of the student; kd if absent.", rich_help_panel=STUDENT)] = None,
    settings: Settings = None,
    epochs: Annotated[
        int | None, Option(min=1, help="Epochs of one student; 10 if absent.", rich_help_panel=STUDENT)
    ] = None,
    batch_size: Annotated[
        int | None, Option(min=1, help="Rows per training step; 128 if absent.", rich_help_panel=STUDENT)
    ] = None,
    student_image_size: Annotated[
        int | None, Option(min=1, help="Image size of the student, in pixels.", rich_help_panel=STUDENT)
    ] = None,
    precision: shared.PrecisionOption = shared.Precision.auto,
    teacher_device_map: shared.TeacherDeviceMap = None,
    device: shared.Device = None,
    workers: shared.Workers = None,
    threads: shared.Threads = None,
    seed: shared.Seed = 0,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Estimate what embed will take before the teacher runs: time, bytes, memory, and the slowest part.

    A few batches run through the real code path. A few blocks are written on the store's disk, and removed.
    """
    per_class_count = parse_per_class(per_class)
    method_settings = parse_settings(settings or [], method or "kd")
    with work(debug=debug, threads=threads) as events:
        from teachonce.benchmarks.estimate.estimate import estimate as measure

        result = measure(
            teacher=teacher,
            data=data,
            store=store,
            name=name,
            split=split,
            image_column=image_column,
            label_column=label_column,
            key_column=key_column,
            limit=limit,
            views=views,
            augment=augment,
            dtype=dtype.value,
            teacher_batch=teacher_batch,
            block_rows=block_rows,
            per_class=per_class_count,
            teacher_dtype=teacher_dtype.value,
            embedding=embedding,
            trust_remote_code=trust_remote_code,
            revision=revision,
            image_size=image_size,
            student=student,
            method=method,
            settings=method_settings,
            epochs=epochs,
            batch_size=batch_size,
            student_image_size=student_image_size,
            seconds=seconds,
            precision=precision.value,
            teacher_device_map=teacher_device_map,
            device=device,
            workers=workers,
            seed=seed,
            events=events,
        )
    finish(result, estimate_parts, as_json=as_json)

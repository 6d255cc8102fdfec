"""The options of `estimate`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from teachonce.options import shared
from teachonce.options.opt import Opt

STUDENT = "Student"


@dataclass(frozen=True, kw_only=True)
class EstimateOptions:
    """Estimate what embed will take before the teacher runs: time, bytes, memory, and the slowest part.

    A few batches run through the real code path. A few blocks are written on the store's disk, and removed.
    """

    teacher: shared.Teacher
    data: shared.Data
    store: Annotated[
        Path | None,
        Opt(help="Path of the store to be made; its disk is measured (the working folder if absent).", metavar="STORE"),
    ] = None
    name: Annotated[str, Opt(rare=True, help=shared.TARGET_NAME)] = "teacher"
    split: shared.Split = None
    image_column: shared.ImageColumn = None
    label_column: shared.LabelColumn = None
    key_column: shared.KeyColumn = None
    limit: shared.Limit = None
    views: Annotated[int | None, Opt(help="Views per image; one if absent.", min=1)] = None
    augment: shared.Augment = None
    dtype: shared.Dtype = "float16"
    teacher_batch: Annotated[
        int | None, Opt(help="Rows in a teacher batch; chosen automatically if absent.", min=1)
    ] = None
    block_rows: shared.BlockRows = None
    per_class: shared.PerClass = 100
    teacher_dtype: shared.TeacherDtype = "float32"
    embedding: shared.Embedding = "auto"
    revision: shared.Revision = None
    trust_remote_code: shared.TrustRemoteCode = False
    image_size: shared.TeacherImageSize = None
    seconds: Annotated[float, Opt(help="Measuring time of the teacher pass; longer is more accurate.", above=0.0)] = (
        10.0
    )
    student: Annotated[
        str | None,
        Opt(help="Also estimate break-even with this student; see train.", panel=STUDENT, metavar="STUDENT"),
    ] = None
    method: Annotated[str | None, Opt(help="Method of the student; kd if absent.", panel=STUDENT)] = None
    settings: shared.Settings = field(default_factory=dict)
    epochs: Annotated[int | None, Opt(help="Epochs of one student; 10 if absent.", panel=STUDENT, min=1)] = None
    batch_size: Annotated[int | None, Opt(help="Rows per training step; 128 if absent.", panel=STUDENT, min=1)] = None
    student_image_size: Annotated[
        int | None, Opt(rare=True, help="Image size of the student, in pixels.", panel=STUDENT, min=1)
    ] = None
    precision: shared.Precision = "auto"
    teacher_device_map: shared.TeacherDeviceMap = None
    device: shared.Device = None
    workers: shared.Workers = None
    threads: shared.Threads = None
    seed: shared.Seed = 0

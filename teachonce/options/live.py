"""The options of `bench live`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from teachonce.options import shared
from teachonce.options.opt import Opt
from teachonce.types import TeacherDtype

OWN, SWEEP, MEASURE = "In place of a preset", "Lists make a sweep", "Measuring"


@dataclass(frozen=True, kw_only=True)
class LiveOptions:
    """Compare steps from the cache with steps with the live teacher, and compute the break-even.

    Every arm is a separate process, and they take turns. With --out the same command resumes a sweep that was killed.
    """

    preset: Annotated[
        str | None, Opt(help="clip-embed-kd or cifd-imagenet: random weights and images, nothing to download.")
    ] = None
    cases: Annotated[
        tuple[str, ...],
        Opt(
            help="Of the preset: l32-32,b16-64-large,... (teacher-pixels-student) or r34-r18,r50-mbv1, or all; its "
            "first if absent.",
            metavar="NAMES",
            panel=SWEEP,
        ),
    ] = ()
    teacher: Annotated[str | None, Opt(help="See embed.", metavar="TEACHER", panel=OWN)] = None
    student: Annotated[str | None, Opt(help="See train.", metavar="STUDENT", panel=OWN)] = None
    data: Annotated[str | None, Opt(help="See embed.", metavar="DATA", panel=OWN)] = None
    split: Annotated[str | None, Opt(help="Split of the dataset.", panel=OWN)] = None
    label_column: Annotated[
        str | None, Opt(rare=True, help="Column of labels; chosen by type if absent.", panel=OWN)
    ] = None
    image_size: Annotated[int | None, Opt(help="Image size of the student, in pixels.", panel=OWN, min=1)] = None
    methods: Annotated[
        tuple[str, ...],
        Opt(help="Methods, such as kd,clip-embed-kd; the preset's, or kd, if absent.", metavar="NAMES", key="method"),
    ] = ()
    distortion_weight: Annotated[
        tuple[float, ...],
        Opt(help="For cifd: weights of the RDMs that are trained first; the preset's if absent.", metavar="NUMBERS"),
    ] = ()
    batch_size: Annotated[
        tuple[int, ...],
        Opt(help="Batch sizes, such as 8,64,256; 64 on a GPU, 8 on a CPU if absent.", metavar="NUMBERS", panel=SWEEP),
    ] = ()
    precision: Annotated[
        tuple[str, ...],
        Opt(help="Precisions, such as float32,bf16; bf16 on a GPU if absent.", metavar="NAMES", panel=SWEEP),
    ] = ()
    teacher_dtype: Annotated[
        TeacherDtype | None,
        Opt(help="Dtype of the teacher's weights; that of the precision if absent.", panel=MEASURE),
    ] = None
    compile: Annotated[
        Literal["no", "yes", "both"], Opt(help="Compile the students with torch.compile.", panel=SWEEP)
    ] = "no"
    rounds: Annotated[int, Opt(help="Measured rounds, over all starts.", panel=MEASURE, min=1)] = 9
    starts: Annotated[
        int,
        Opt(help="Number of restarts of all arms, since equal processes differ in speed.", panel=MEASURE, min=1),
    ] = 3
    steps: Annotated[
        int | None,
        Opt(rare=True, help="Steps per arm and round; 1 to 20 by their time if absent.", panel=MEASURE, min=1),
    ] = None
    rows: Annotated[int | None, Opt(rare=True, help="Rows of the benchmark's own store.", panel=MEASURE, min=1)] = None
    epoch_rows: Annotated[
        int | None, Opt(rare=True, help="Samples per epoch that the result is extrapolated to.", panel=MEASURE, min=1)
    ] = None
    epochs: Annotated[int | None, Opt(help="Epochs of one student; the preset's, or 10.", panel=MEASURE, min=1)] = None
    rdm_epochs: Annotated[
        int, Opt(rare=True, help="Epochs of RDM training that the result is extrapolated to.", panel=MEASURE, min=1)
    ] = 30
    out: Annotated[
        Path | None, Opt(help="File for each case as it finishes; the same command resumes.", metavar="FILE.json")
    ] = None
    device: shared.Device = None
    tf32: shared.Tf32 = False
    workers: shared.Workers = None
    threads: shared.Threads = None
    seed: shared.Seed = 0
    trust_remote_code: shared.TrustRemoteCode = False

"""The options of `train`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from teachonce.errors import InputError
from teachonce.options import shared
from teachonce.options.methods import METHODS, parts_of, takes
from teachonce.options.opt import Opt
from teachonce.options.optim import OptimOptions
from teachonce.options.shared import MACHINE, OPTIMISER


@dataclass(frozen=True, kw_only=True)
class TrainOptions(OptimOptions):
    """Train a student from a store, or from the live teacher, or without one (ce).

    After a kill or an interrupt, the same command resumes.
    """

    data: shared.Data
    student: Annotated[
        str,
        Opt(
            help="vit:patch=4,width=256,..., cnn-2, wrn-40-1, resnet8x4, resnet-18, mobilenet-v1, ..., "
            f"transformers:CONFIG or {shared.FACTORY}.",
            metavar="STUDENT",
        ),
    ]
    out: Annotated[Path, Opt(help="Folder of the run.", metavar="RUN", tells="nothing")]
    init: Annotated[
        str | None,
        Opt(
            rare=True,
            help="Initial weights: a run of train, or for students of transformers a folder or hub id. "
            "Random if absent.",
            metavar="SOURCE",
            tells="content",
        ),
    ] = None
    method: Annotated[
        str,
        Opt(
            help=f"{', '.join(METHODS)}, or a sum such as kd+clip-teacher-kd; see `teachonce methods`.",
            metavar="METHOD",
            words="options.methods:completions",
        ),
    ] = "ce"
    store: Annotated[Path | None, Opt(help="Folder of the store; ce needs none.", metavar="STORE", tells="content")] = (
        None
    )
    target: shared.Target = "teacher"
    rdm: Annotated[
        tuple[str, ...],
        Opt(
            help="For cifd: RDM targets of the store, such as rdm-10000,rdm-1000.",
            metavar="NAMES",
            tells="content",
            takes="rdm",
        ),
    ] = ()
    rdm_logits: Annotated[
        Literal["stored", "head"],
        Opt(rare=True, help="Read the RDMs' logits, or compute them from their heads.", tells="content", takes="rdm"),
    ] = "stored"
    assistants: Annotated[
        tuple[str, ...],
        Opt(
            help="For dgkd: the assistants' targets, such as assistant-8,assistant-6.",
            metavar="NAMES",
            tells="content",
            takes="assistants",
        ),
    ] = ()
    targets: Annotated[
        tuple[str, ...],
        Opt(
            rare=True,
            help="All targets in one list, the main one first: --targets teacher,rdm-100,rdm-10 is --target teacher "
            "--rdm rdm-100,rdm-10; for dgkd the others are --assistants.",
            metavar="NAMES",
            tells="nothing",
        ),
    ] = ()
    source: Annotated[
        Literal["cached", "live"], Opt(help="Source of the targets: the store (cached) or the teacher (live).")
    ] = "cached"
    teacher: Annotated[str | None, Opt(help="The teacher, for --source live.", metavar="TEACHER", tells="content")] = (
        None
    )
    teacher_dtype: shared.TeacherDtype = "float32"
    settings: shared.Settings = field(default_factory=dict)
    split: shared.Split = None
    image_column: shared.ImageColumn = None
    label_column: shared.LabelColumn = None
    key_column: shared.KeyColumn = None
    limit: shared.Limit = None
    val_fraction: shared.ValFraction = 0.1
    image_size: Annotated[int | None, Opt(rare=True, help="Image size of the student, in pixels.", min=1)] = None
    student_augment: Annotated[str | None, Opt(rare=True, help="Augmentation on top of the view: crop=0.35,flip.")] = (
        None
    )
    epochs: Annotated[int, Opt(help="Passes over the data.", panel=OPTIMISER, min=1)] = 10
    batch_size: Annotated[int, Opt(help="Rows per training step.", panel=OPTIMISER, min=1)] = 128
    label_smoothing: Annotated[
        float,
        Opt(rare=True, help="Smoothing of the labels, for ce.", panel=OPTIMISER, min=0.0, max=1.0, tells="content"),
    ] = 0.0
    precision: shared.Precision = "auto"
    tf32: shared.Tf32 = False
    teacher_device_map: shared.TeacherDeviceMap = None
    compile: Annotated[bool, Opt(rare=True, help="Use torch.compile.", panel=MACHINE)] = False
    cuda_graphs: Annotated[
        bool,
        Opt(
            rare=True,
            help="Compile the student, as --compile does, and replay its forward and backward pass as CUDA graphs; "
            "targets, loss and optimiser are launched as before, and the peak memory is not reported. No effect on a "
            "CPU.",
            panel=MACHINE,
        ),
    ] = False
    device: shared.Device = None
    workers: shared.Workers = None
    threads: shared.Threads = None
    seed: shared.Seed = 0
    trust_remote_code: shared.TrustRemoteCode = False

    def __post_init__(self) -> None:
        """Put `targets` into the options that it stands for.

        Raises:
            InputError: They are given too, or the method takes no targets beside the main one.
        """
        if not self.targets:
            return
        main, *extras = self.targets
        kind = takes(self.method)
        if self.rdm or self.assistants or self.target not in ("teacher", main):
            raise InputError("targets are given twice", "Use --targets alone, or --target with --rdm or --assistants")
        if extras and kind is None:
            parts_of(self.method)
            able = ", ".join(name for name, entry in METHODS.items() if entry.takes)
            message = f"method {self.method} takes one target, got {', '.join(self.targets)}"
            raise InputError(message, f"Name one, or use a method that takes several: {able}")
        given = {"target": main, "targets": ()} | ({str(kind): tuple(extras)} if extras else {})
        for name, value in given.items():
            object.__setattr__(self, name, value)

    @property
    def extras(self) -> tuple[str, ...]:
        """The targets beside the main one, in order."""
        return self.rdm + self.assistants

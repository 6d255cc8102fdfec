"""`teachonce train`: train a student from a store, from the live teacher, or without a teacher."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from teachonce.cli import options as shared
from teachonce.cli.frame import finish, work
from teachonce.console.tables import train_parts
from teachonce.texts import is_whole

OPTIMISER = "Optimiser"
Student = Annotated[
    str,
    Option(
        help="vit:patch=4,width=256,..., cnn-2, wrn-40-1, resnet8x4, resnet-18, mobilenet-v1, ..., transformers:CONFIG "
        f"or {shared.FACTORY}.",
        metavar="STUDENT",
    ),
]
Settings = Annotated[
    list[str] | None,
    Option("--set", help="A method's setting, such as kd.temperature=4; may be repeated.", metavar="METHOD.NAME=VALUE"),
]
CUDA_GRAPHS = (
    "Compile the student, as --compile does, and replay its forward and backward pass as CUDA graphs; targets, loss "
    "and optimiser are launched as before, and the peak memory is not reported. No effect on a CPU."
)
Milestones = Annotated[
    str | None,
    Option(
        help="Epochs after which the learning rate is multiplied by gamma, such as 15,25.", rich_help_panel=OPTIMISER
    ),
]


def parse_settings(texts: Sequence[str], method: str) -> dict[str, str]:
    """`kd.temperature=4` as {"temperature": "4"}; the part before the dot must be the method."""
    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        prefix, dot, name = key.strip().rpartition(".")
        if not (equals and dot and name):
            raise typer.BadParameter(f"expected METHOD.NAME=VALUE, got {text!r}", param_hint="--set")
        if prefix != method:
            raise typer.BadParameter(f"{text!r} is for {prefix}, but --method is {method}", param_hint="--set")
        settings[name] = value.strip()
    return settings


def parse_milestones(text: str | None) -> tuple[int, ...]:
    """`15,25` as (15, 25)."""
    words = [word.strip() for word in text.split(",")] if text else []
    if not all(map(is_whole, words)):
        raise typer.BadParameter(f"expected epochs such as 15,25, got {text!r}", param_hint="--milestones")
    return tuple(int(word) for word in words)


def parse_names(text: str | None, option: str) -> tuple[str, ...]:
    """`rdm-10,rdm-1` as ("rdm-10", "rdm-1")."""
    words = [word.strip() for word in text.split(",")] if text is not None else []
    if not all(words):
        raise typer.BadParameter(f"expected names with commas between them, got {text!r}", param_hint=option)
    return tuple(words)


def train(  # noqa: PLR0913  (one parameter an option)
    data: shared.Data,
    student: Student,
    out: Annotated[Path, Option(help="Folder of the run.", metavar="RUN")],
    init: Annotated[
        str | None,
        Option(
            help="Initial weights: a run of train, or for students of transformers a folder or hub id. "
            "Random if absent.",
            metavar="SOURCE",
        ),
    ] = None,
    method: Annotated[str, Option(help="ce, kd, vanilla-kd, clip-embed-kd, clip-teacher-kd, dgkd or cifd.")] = "ce",
    store: Annotated[Path | None, Option(help="Folder of the store; ce needs none.", metavar="STORE")] = None,
    target: shared.Target = "teacher",
    rdm: Annotated[
        str | None, Option(help="For cifd: RDM targets of the store, such as rdm-10000,rdm-1000.", metavar="NAMES")
    ] = None,
    rdm_logits: Annotated[
        shared.RdmLogits, Option(help="Read the RDMs' logits, or compute them from their heads.")
    ] = shared.RdmLogits.stored,
    assistants: Annotated[
        str | None, Option(help="For dgkd: the assistants' targets, such as assistant-8,assistant-6.", metavar="NAMES")
    ] = None,
    source: Annotated[
        shared.Source, Option(help="Source of the targets: the store (cached) or the teacher (live).")
    ] = (shared.Source.cached),
    teacher: Annotated[str | None, Option(help="The teacher, for --source live.", metavar="TEACHER")] = None,
    teacher_dtype: shared.TeacherDtypeOption = shared.TeacherDtype.float32,
    settings: Settings = None,
    split: shared.Split = None,
    image_column: shared.ImageColumn = None,
    label_column: shared.LabelColumn = None,
    key_column: shared.KeyColumn = None,
    limit: shared.Limit = None,
    val_fraction: Annotated[
        float, Option(min=0.0, max=0.9, help="Share of rows kept for validation.", rich_help_panel=shared.DATA)
    ] = 0.1,
    image_size: Annotated[int | None, Option(min=1, help="Image size of the student, in pixels.")] = None,
    student_augment: Annotated[str | None, Option(help="Augmentation on top of the view: crop=0.35,flip.")] = None,
    epochs: Annotated[int, Option(min=1, help="Passes over the data.", rich_help_panel=OPTIMISER)] = 10,
    batch_size: Annotated[int, Option(min=1, help="Rows per training step.", rich_help_panel=OPTIMISER)] = 128,
    lr: Annotated[float, Option(min=0.0, help="Maximum learning rate.", rich_help_panel=OPTIMISER)] = 1e-3,
    optimizer: Annotated[
        shared.Optimizer, Option(help="Optimizer.", rich_help_panel=OPTIMISER)
    ] = shared.Optimizer.adamw,
    weight_decay: Annotated[
        float | None,
        Option(min=0.0, help="Weight decay; if absent 0.05 with adamw, 5e-4 with sgd.", rich_help_panel=OPTIMISER),
    ] = None,
    momentum: Annotated[float, Option(min=0.0, help="Of sgd.", rich_help_panel=OPTIMISER)] = 0.9,
    schedule: Annotated[
        shared.Schedule, Option(help="Schedule of the learning rate.", rich_help_panel=OPTIMISER)
    ] = shared.Schedule.cosine,
    warmup_epochs: Annotated[
        float, Option(min=0.0, help="Epochs of linear warm-up, such as 0.5.", rich_help_panel=OPTIMISER)
    ] = 0.0,
    milestones: Milestones = None,
    gamma: Annotated[
        float, Option(help="Factor of the learning rate at each milestone.", rich_help_panel=OPTIMISER)
    ] = 0.1,
    label_smoothing: Annotated[
        float, Option(min=0.0, max=1.0, help="Smoothing of the labels, for ce.", rich_help_panel=OPTIMISER)
    ] = 0.0,
    clip_norm: Annotated[float | None, Option(help="Maximum norm of the gradient.", rich_help_panel=OPTIMISER)] = None,
    density_lr: shared.DensityLr = None,
    precision: shared.PrecisionOption = shared.Precision.auto,
    tf32: shared.Tf32 = False,
    teacher_device_map: shared.TeacherDeviceMap = None,
    compile_: Annotated[bool, Option("--compile", help="Use torch.compile.", rich_help_panel=shared.MACHINE)] = False,
    cuda_graphs: Annotated[bool, Option("--cuda-graphs", help=CUDA_GRAPHS, rich_help_panel=shared.MACHINE)] = False,
    device: shared.Device = None,
    workers: shared.Workers = None,
    threads: shared.Threads = None,
    seed: shared.Seed = 0,
    trust_remote_code: shared.TrustRemoteCode = False,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Train a student from a store, or from the live teacher, or without one (ce).

    After a kill or an interrupt, the same command resumes.
    """
    method_settings = parse_settings(settings or [], method)
    epochs_of_milestones = parse_milestones(milestones)
    rdm_names, assistant_names = parse_names(rdm, "--rdm"), parse_names(assistants, "--assistants")
    with work(debug=debug, threads=threads) as events:
        from teachonce.stages.train import train as stage

        result = stage(
            data=data,
            student=student,
            init=init,
            method=method,
            out=out,
            store=store,
            target=target,
            rdm=rdm_names,
            rdm_logits=rdm_logits.value,
            assistants=assistant_names,
            source=source.value,
            teacher=teacher,
            teacher_dtype=teacher_dtype.value,
            settings=method_settings,
            split=split,
            image_column=image_column,
            label_column=label_column,
            key_column=key_column,
            limit=limit,
            val_fraction=val_fraction,
            image_size=image_size,
            student_augment=student_augment,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            optimizer=optimizer.value,
            weight_decay=weight_decay,
            momentum=momentum,
            schedule=schedule.value,
            warmup_epochs=warmup_epochs,
            milestones=epochs_of_milestones,
            gamma=gamma,
            label_smoothing=label_smoothing,
            clip_norm=clip_norm,
            density_lr=density_lr,
            precision=precision.value,
            tf32=tf32,
            teacher_device_map=teacher_device_map,
            compile=compile_,
            cuda_graphs=cuda_graphs,
            device=device,
            workers=workers,
            seed=seed,
            trust_remote_code=trust_remote_code,
            events=events,
        )
    finish(result, train_parts, as_json=as_json)

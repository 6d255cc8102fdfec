"""Teachers by spec: a transformers model, a trained run, a built-in network, or a user's factory."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from teachonce.errors import ModelError
from teachonce.models.frozen import ClassifierTeacher, Signals, Teacher, TeacherInfo, weights_digest
from teachonce.models.placed import DeviceMap, Placing
from teachonce.models.precision import TORCH_DTYPES, parse_teacher_dtype
from teachonce.models.pretrained import load_pretrained
from teachonce.models.processor import plain_processor
from teachonce.models.student import Student
from teachonce.models.students import build_student, is_built_in, load_student
from teachonce.models.trust import is_factory
from teachonce.records import read
from teachonce.types import EARLY, EvalView, Resizing, TeacherDtype

__all__ = ["Signals", "Teacher", "TeacherInfo", "from_student", "load_teacher"]

_AGAIN = "Train the run again, or restore the file from a copy"


def load_teacher(  # noqa: PLR0913 - one parameter an option
    spec: str,
    *,
    device: str | torch.device = "cpu",
    dtype: str = "float32",
    device_map: str | None = None,
    memory: int | None = None,
    embedding: str = "auto",
    trust_remote_code: bool = False,
    revision: str | None = None,
    image_size: int | None = None,
    classes: int | None = None,
    seed: int = 0,
) -> Teacher:
    """Load a teacher: eval mode, no gradients.

    Args:
        spec: A hub id, a folder of a transformers model, a run of `teachonce train`, a built-in network with random
            weights (`cnn-10`, `vit:...`; for measurements), or `package.module:factory`. A folder of a model comes
            before a built-in network of its name.
        device: Where to put it.
        dtype: Of its weights, in which it also computes: float32, bf16 or fp16. Norms and sums are as torch and
            transformers have them in that dtype.
        device_map: `auto`, perhaps with limits (`auto,cpu=4GB`): weights go to the device, then to the host's memory,
            and what is left is read from the model's files for every batch. It needs accelerate and a model of
            transformers.
        memory: Bytes of the host's memory that are free: weights that take more are refused, or left in their files
            where there is a device map; None: not known.
        embedding: Which output is the embedding; `auto` by the rules of `encoders.choose`.
        trust_remote_code: Allow a model of transformers, or the factory that a run names, to run code of its own.
        revision: Branch, tag or commit of a hub model.
        image_size: Pixels, of built-in networks and factories; others know their own, and refuse it.
        classes: Of built-in networks (10 where not given) and factories.
        seed: Of random weights.

    Raises:
        InputError: An unknown dtype.
        ModelError: It cannot be found, loaded or used; the message says what was expected and got.
        CorruptError: A file of its folder is damaged, or no file.
    """
    kind = parse_teacher_dtype(dtype)
    placed = None if device_map is None else DeviceMap.parse(device_map)
    placing = Placing(spec=spec, dtype=kind, device=torch.device(device), map=placed, free=memory)
    folder = Path(spec)
    run = (folder / "run.json").exists()
    fresh = not run and (
        (is_built_in(spec) and not (folder / "config.json").exists()) or (is_factory(spec) and not folder.exists())
    )
    if run or fresh:
        _require_penultimate(spec, embedding)
        if placed is not None:
            raise ModelError(
                f"{spec!r} is not a model of transformers, got a device map", "Leave --teacher-device-map out"
            )
    if not fresh and image_size is not None:
        raise ModelError(f"{spec!r} has its own image size, got image size {image_size}", "Leave the image size out")
    if run:
        teacher = _from_run(spec, folder, trust_remote_code, kind)
    elif fresh:
        student = build_student(spec, classes=classes or 10, image_size=image_size, seed=seed)
        teacher = from_student(student, name=spec, dtype=kind)
    else:
        teacher = load_pretrained(
            spec, embedding=embedding, trust_remote_code=trust_remote_code, revision=revision, placing=placing
        )
    return _moved(teacher, torch.device(device))


def _moved(teacher: Teacher, device: torch.device) -> Teacher:
    try:
        return teacher.to(device)
    except torch.OutOfMemoryError as error:
        size = sum(weight.nbytes for weight in teacher.parameters())
        mend = "Use --teacher-dtype bf16, --teacher-device-map auto, or --device cpu"
        raise ModelError(f"{device} has too little memory for {size:,} bytes of the teacher's weights", mend) from error


def from_student(
    student: Student,
    *,
    name: str,
    class_names: tuple[str, ...] | None = None,
    view: EvalView | None = None,
    dtype: TeacherDtype = "float32",
) -> Teacher:
    """A student in the teacher's place.

    Args:
        student: It is frozen in place, and cast to `dtype`.
        name: What to call it.
        class_names: In the order of its logits.
        view: The evaluation view it was trained on; by default the whole image squeezed to its input.
        dtype: Of its weights.
    """
    if dtype != "float32":
        student.to(TORCH_DTYPES[dtype])
    view = view or EvalView(resize=(student.input.height, student.input.width))
    info = TeacherInfo(
        kind="classifier",
        name=name,
        embedding="penultimate",
        embedding_dim=student.embedding_dim,
        classes=student.classes,
        class_names=class_names,
        input=student.input,
        view=view,
        processor=plain_processor(student.input, view),
        weights=weights_digest(student),
        config={"student": student.spec, "classes": student.classes},
        dtype=dtype,
    )
    return ClassifierTeacher(info, student)


def _require_penultimate(spec: str, embedding: str) -> None:
    if embedding not in ("auto", "penultimate"):
        message = f"{spec!r} has one embedding, the input of its head (penultimate), got --embedding {embedding}"
        raise ModelError(message, "Leave --embedding out, or use auto")


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What a teacher takes of a run.json."""

    class_names: tuple[str, ...] | None = None
    view: EvalView | None = None
    resizing: Resizing = EARLY


def _from_run(spec: str, folder: Path, trust_remote_code: bool, dtype: TeacherDtype) -> Teacher:
    run = read(_Run, folder / "run.json", mend=_AGAIN)
    student = load_student(folder, trust_remote_code=trust_remote_code)
    teacher = from_student(student, name=spec, class_names=run.class_names or None, view=run.view, dtype=dtype)
    teacher.info = replace(teacher.info, resizing=run.resizing)
    return teacher

"""Teachers by spec: a transformers model, a trained run, a built-in network, or a user's factory."""

import json
from pathlib import Path
from typing import Any

import torch

from teachonce.errors import ModelError
from teachonce.models.frozen import ClassifierTeacher, Signal, Teacher, TeacherInfo, weights_digest
from teachonce.models.pretrained import load_pretrained
from teachonce.models.processor import plain_processor
from teachonce.models.spec import is_factory
from teachonce.models.student import Student
from teachonce.models.students import build_student, is_built_in, load_student
from teachonce.types import EvalView

__all__ = ["Signal", "Teacher", "TeacherInfo", "from_student", "load_teacher"]


def load_teacher(
    spec: str,
    *,
    device: str | torch.device = "cpu",
    embedding: str = "auto",
    trust_remote_code: bool = False,
    revision: str | None = None,
    image_size: int | None = None,
    classes: int | None = None,
    seed: int = 0,
) -> Teacher:
    """Load a teacher: float32, eval mode, no gradients.

    Args:
        spec: A hub id, a folder of a transformers model, a run of `teachonce train`, a built-in network with random
            weights (`cnn-10`, `vit:...`; for measurements), or `package.module:factory`. A folder of a model comes
            before a built-in network of its name.
        device: Where to put it.
        embedding: Which output is the embedding; `auto` by the rules of `encoders.choose`.
        trust_remote_code: Allow a hub model to run code of its own.
        revision: Branch, tag or commit of a hub model.
        image_size: Pixels, of built-in networks and factories; others know their own, and refuse it.
        classes: Of built-in networks (10 where not given) and factories.
        seed: Of random weights.

    Raises:
        ModelError: It cannot be found, loaded or used; the message says what was expected and got.
    """
    folder = Path(spec)
    run = (folder / "run.json").is_file()
    fresh = not run and (
        (is_built_in(spec) and not (folder / "config.json").is_file()) or (is_factory(spec) and not folder.exists())
    )
    if run or fresh:
        _require_penultimate(spec, embedding)
    if not fresh and image_size is not None:
        raise ModelError(f"{spec!r} has its own image size, got image size {image_size}", "Leave the image size out")
    if run:
        teacher = _from_run(spec, folder)
    elif fresh:
        student = build_student(spec, classes=classes or 10, image_size=image_size, seed=seed)
        teacher = from_student(student, name=spec)
    else:
        teacher = load_pretrained(spec, embedding=embedding, trust_remote_code=trust_remote_code, revision=revision)
    return teacher.to(device)


def from_student(
    student: Student, *, name: str, class_names: tuple[str, ...] | None = None, view: EvalView | None = None
) -> Teacher:
    """A student in the teacher's place.

    Args:
        student: It is frozen in place.
        name: What to call it.
        class_names: In the order of its logits.
        view: The evaluation view it was trained on; by default the whole image squeezed to its input.
    """
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
    )
    return ClassifierTeacher(info, student)


def _require_penultimate(spec: str, embedding: str) -> None:
    if embedding not in ("auto", "penultimate"):
        message = f"{spec!r} has one embedding, the input of its head (penultimate), got --embedding {embedding}"
        raise ModelError(message, "Leave --embedding out, or use auto")


def _from_run(spec: str, folder: Path) -> Teacher:
    try:
        run: dict[str, Any] = json.loads((folder / "run.json").read_text())
    except ValueError as error:
        raise ModelError(f"{folder / 'run.json'} is not JSON", "Train the run again, or restore the file") from error
    names = run.get("class_names")
    view = EvalView.from_json(run["view"]) if run.get("view") else None
    student = load_student(folder)
    return from_student(student, name=spec, class_names=tuple(names) if names else None, view=view)

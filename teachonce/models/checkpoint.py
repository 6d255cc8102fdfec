"""Students on disk: safetensors and one JSON file; those of a transformers family open in transformers too."""

import json
import tempfile
from pathlib import Path
from typing import Any

import safetensors.torch

from teachonce.errors import ModelError
from teachonce.fsio import write_bytes, write_json
from teachonce.models.classifier import SplitClassifier
from teachonce.models.hub import loading
from teachonce.models.student import Student
from teachonce.models.students import build_student
from teachonce.types import InputSpec

WEIGHTS, SPEC = "model.safetensors", "student.json"


def save_student(student: Student, folder: str | Path, *, class_names: tuple[str, ...] | None = None) -> None:
    """Write a student so that `load_student` builds it again, each file atomically.

    Writes `model.safetensors` and `student.json`; for a transformers family `config.json` and `preprocessor_config.json`
    too, so that `AutoModelForImageClassification.from_pretrained(folder)` opens it.

    Args:
        student: Its weights are copied to the CPU.
        folder: Made if it is not there.
        class_names: In the order of the logits; they become the config's id2label.

    Raises:
        DiskError: The disk is full, read-only or failing.
    """
    folder = Path(folder)
    if isinstance(student, SplitClassifier):
        _save_transformers(student, folder, class_names)
    else:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in student.state_dict().items()}
        write_bytes(folder / WEIGHTS, safetensors.torch.save(tensors, metadata={"format": "pt"}))
    write_json(folder / SPEC, _describe(student))


def load_student(folder: str | Path) -> Student:
    """The student of a run, or of a folder that `save_student` wrote; on the CPU, in eval mode.

    Args:
        folder: A run of `teachonce train` (its best checkpoint is taken), or the student's folder itself.

    Raises:
        ModelError: There is no student, or its weights do not fit.
    """
    folder = Path(folder)
    folder = folder / "best" if (folder / "run.json").is_file() else folder
    if not (folder / SPEC).is_file() or not (folder / WEIGHTS).is_file():
        mend = "Name a run of `teachonce train` that has finished its first epoch, or its best/ folder"
        raise ModelError(f"{folder} holds no student ({SPEC} and {WEIGHTS})", mend)
    try:
        description = json.loads((folder / SPEC).read_text())
        student = _rebuild(folder, description)
    except (ValueError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
        if isinstance(error, ModelError):
            raise
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"the student in {folder} cannot be read: {first}", "Train it again") from error
    return student.eval()


def _describe(student: Student) -> dict[str, Any]:
    return {
        "format": 1,
        "spec": student.spec,
        "family": "transformers" if isinstance(student, SplitClassifier) else "own",
        "classes": student.classes,
        "embedding_dim": student.embedding_dim,
        "input": student.input.to_json(),
    }


def _rebuild(folder: Path, description: dict[str, Any]) -> Student:
    given = InputSpec.from_json(description["input"])
    if description["family"] == "transformers":
        with loading(str(folder)):
            from transformers import AutoModelForImageClassification

            network = AutoModelForImageClassification.from_pretrained(folder, use_safetensors=True)
            return SplitClassifier(network, spec=description["spec"], input=given)
    student = build_student(description["spec"], classes=description["classes"], image_size=given.height)
    student.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    return student


def _save_transformers(student: SplitClassifier, folder: Path, class_names: tuple[str, ...] | None) -> None:
    """`save_pretrained` into a temporary folder, then each file atomically to its place."""
    with student.whole() as network, tempfile.TemporaryDirectory() as temporary, loading(student.spec):
        if class_names is not None:
            network.config.id2label = dict(enumerate(class_names))
            network.config.label2id = {name: index for index, name in enumerate(class_names)}
        network.save_pretrained(temporary)
        for path in sorted(Path(temporary).iterdir()):
            write_bytes(folder / path.name, path.read_bytes())

"""Students on disk: safetensors and one JSON file; those of a transformers family open in transformers too."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import safetensors.torch

from teachonce.bounds import Bounds, Positive
from teachonce.fsio import write_bytes, write_json
from teachonce.models.classifier import SplitClassifier
from teachonce.models.hub import loading
from teachonce.models.processor import squeezing_processor
from teachonce.models.student import Student
from teachonce.records import read, write
from teachonce.types import EvalView, InputSpec

WEIGHTS, SPEC = "model.safetensors", "student.json"
_MEND = "Train it again, or restore the file from a copy"


@dataclass(frozen=True, kw_only=True)
class Saved:
    """The student.json of a folder."""

    format: Literal[1] = 1
    spec: str
    family: Literal["transformers", "own"]
    classes: Annotated[int, Bounds(min=1, max=1 << 24)]
    embedding_dim: Positive
    input: InputSpec


def read_saved(folder: Path) -> Saved:
    """The student.json of a folder.

    Raises:
        FileNotFoundError: There is none.
        CorruptError: It is damaged.
    """
    return read(Saved, folder / SPEC, mend=_MEND)


def save_student(
    student: Student,
    folder: str | Path,
    *,
    class_names: Sequence[str] | None = None,
    view: EvalView | None = None,
) -> None:
    """Write a student so that `load_student` builds it again, each file atomically.

    Writes `model.safetensors` and `student.json`; for a transformers family also `config.json`, so that
    `AutoModelForImageClassification.from_pretrained(folder)` opens it.

    Args:
        student: Its weights are copied to the CPU.
        folder: Made if it is not there.
        class_names: In the order of the logits; they become the config's id2label.
        view: The evaluation view it was trained on. Where it is the whole image squeezed to the input, the image
            processor that does so is written too (`preprocessor_config.json`); no other view is approximated by one.

    Raises:
        DiskError: The disk is full, read-only or failing.
    """
    folder = Path(folder)
    if isinstance(student, SplitClassifier):
        _save_transformers(student, folder, class_names)
        if view is not None and view.crop is None and isinstance(view.resize, tuple):
            write_json(folder / "preprocessor_config.json", squeezing_processor(student.input))
    else:
        # copies: safetensors refuses tensors that share memory, as tied weights do
        tensors = {
            name: value.detach().to("cpu", copy=True).contiguous() for name, value in student.state_dict().items()
        }
        write_bytes(folder / WEIGHTS, safetensors.torch.save(tensors, metadata={"format": "pt"}))
    write(folder / SPEC, _describe(student))


def _describe(student: Student) -> Saved:
    return Saved(
        spec=student.spec,
        family="transformers" if isinstance(student, SplitClassifier) else "own",
        classes=student.classes,
        embedding_dim=student.embedding_dim,
        input=student.input,
    )


def _save_transformers(student: SplitClassifier, folder: Path, class_names: Sequence[str] | None) -> None:
    """`save_pretrained` into a temporary folder, then each file atomically to its place."""
    with student.whole() as network, tempfile.TemporaryDirectory() as temporary, loading(student.spec):
        if class_names is not None:
            network.config.id2label = dict(enumerate(class_names))
            network.config.label2id = {name: index for index, name in enumerate(class_names)}
        network.save_pretrained(temporary)
        for path in sorted(Path(temporary).iterdir()):
            write_bytes(folder / path.name, path.read_bytes())

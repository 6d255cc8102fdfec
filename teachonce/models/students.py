"""Students by spec: a built-in network, any transformers image classifier from its config, or a user's factory."""

import json
from pathlib import Path
from typing import Any

import safetensors.torch

from teachonce.errors import ModelError
from teachonce.models import cifar, imagenet
from teachonce.models.checkpoint import SPEC, WEIGHTS, save_student
from teachonce.models.classifier import SplitClassifier
from teachonce.models.cnn import Cnn
from teachonce.models.factory import FactoryStudent
from teachonce.models.families import from_source, vit
from teachonce.models.hub import loading
from teachonce.models.spec import is_factory
from teachonce.models.student import Student, require_classes
from teachonce.types import InputSpec

__all__ = ["Student", "build_student", "is_built_in", "load_student", "save_student"]

_KNOWN = (
    "A student is vit:patch=4,width=256,layers=6,heads=8, cnn-2|4|6|8|10, "
    f"{', '.join((*cifar.NAMES, *imagenet.NAMES))}, transformers:CONFIG (a folder, a config.json or a hub id), or "
    "package.module:factory"
)


def build_student(spec: str, *, classes: int, image_size: int | None = None, seed: int = 0) -> Student:
    """A student with fresh weights, in float32 on the CPU.

    Args:
        spec: `vit:...`, `cnn-N`, a name of `cifar.NAMES` or `imagenet.NAMES`, `transformers:CONFIG` or
            `package.module:factory`.
        classes: C, the number of logits.
        image_size: Height and width of its input in pixels; by default 32 (224 for `imagenet.NAMES`), or what the
            config says.
        seed: Of the initial weights; the same seed gives the same weights whatever was drawn before.

    Raises:
        ModelError: An unknown spec or option, a config or factory that cannot be used.
    """
    require_classes(classes, spec)
    name, _, rest = spec.partition(":")
    if name == "vit":
        return vit(spec, classes, image_size, seed)
    if name == "transformers":
        return from_source(spec, rest, classes, image_size, seed)
    if name.startswith("cnn-") and name[4:].isdigit() and not rest:
        return Cnn(int(name[4:]), classes=classes, image_size=image_size or 32, seed=seed)
    if spec in cifar.NAMES:
        return cifar.CifarResNet(spec, classes=classes, image_size=image_size or 32, seed=seed)
    if spec in imagenet.NAMES:
        return imagenet.imagenet_network(spec, classes, image_size or imagenet.SIZE, seed)
    if is_factory(spec):
        return FactoryStudent(spec, classes=classes, image_size=image_size, seed=seed)
    raise ModelError(f"no student {spec!r}", _KNOWN)


def check_student(spec: str, image_size: int | None = None) -> None:
    """Whether there is such a student, before a teacher is run for it; others' code and configs are not asked.

    Raises:
        ModelError: As `build_student`.
    """
    if not spec.startswith("transformers:") and not is_factory(spec):
        build_student(spec, classes=2, image_size=image_size)


def is_built_in(spec: str) -> bool:
    """Whether a spec names a network of ours (`vit...`, `cnn-N`, `wrn-40-2`, ...), not a folder or a hub id."""
    name = spec.partition(":")[0]
    cnn = name.startswith("cnn-") and name[4:].isdigit()
    return name == "vit" or cnn or spec in (*cifar.NAMES, *imagenet.NAMES)


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

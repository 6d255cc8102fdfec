"""Initial weights of a student from those of another network, in the place of random ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor, nn

from teachonce.errors import ModelError
from teachonce.models.checkpoint import SPEC, WEIGHTS, read_saved
from teachonce.models.classifier import SplitClassifier
from teachonce.models.folders import require_weights_file, weights_files
from teachonce.models.frozen import linear_head, tensors_digest
from teachonce.models.hub import loading, locate, weights_arguments
from teachonce.models.student import Student
from teachonce.processwide import seeded

_FILES = ["config.json", WEIGHTS, f"{WEIGHTS}.index.json", "model-*.safetensors"]
_MEND = "Use a source with the student's layers, widths and image size, or leave --init out"


@dataclass(frozen=True, kw_only=True)
class Initial:
    """What a student was initialised from."""

    source: str
    """As it was asked for."""
    head: bool
    """Whether the head is the source's, too; else it is random: the source has another number of classes, or none."""
    unused: tuple[str, ...]
    """Tensors of the source that the student has not."""

    def text(self) -> str:
        """What a log should say."""
        head = "its head too" if self.head else "the head is random: the source has another number of classes, or none"
        return f"initial weights of {self.source}; {head}"


def initial_digest(source: str, *, trust_remote_code: bool = False) -> str:
    """xxh3-128 (hex) over the weights of a source; see `tensors_digest`.

    Raises:
        ModelError: See `initialise`.
        CorruptError: Its files are damaged, or are none.
    """
    files = weights_files(_folder(source, trust_remote_code))
    return tensors_digest({name: value for path in files for name, value in _tensors(path).items()})


def initialise(student: Student, source: str, *, trust_remote_code: bool = False) -> Initial:
    """Replace a student's random weights by those of another network; of a source, no code is run.

    Args:
        student: On the CPU; changed in place.
        source: A run of `teachonce train` (its best student), or for students of transformers a folder or a hub id.
        trust_remote_code: See `require_model_folder`.

    Raises:
        ModelError: There is no such source, or its tensors are not the student's; names the first that differs. Only
            those of the head may be missing or of another number of classes.
        CorruptError: Its files are damaged, or are none.
    """
    folder = _folder(source, trust_remote_code)
    head = _head_names(student)
    own = (folder / SPEC).exists() and read_saved(folder).family == "own"
    with _whole(student) as network:
        mine = network.state_dict()
        theirs = _tensors(folder / WEIGHTS) if own else _pretrained(network, folder, source, trust_remote_code)
        absent = [name for name in mine if name not in theirs or theirs[name].shape != mine[name].shape]
        if wrong := [name for name in absent if name not in head]:
            raise _mismatch(student, source, wrong[0], mine[wrong[0]], theirs.get(wrong[0]))
        unused = tuple(sorted(theirs.keys() - mine.keys()))
        if own and unused:
            raise _mismatch(student, source, unused[0], None, theirs[unused[0]])
        left = head if absent else set[str]()
        network.load_state_dict({name: mine[name] if name in left else theirs[name] for name in mine})
    return Initial(source=source, head=not left, unused=unused)


def _folder(source: str, trust_remote_code: bool) -> Path:
    """Where a source's weights are: the best student of a run, a folder, or the local copy of a hub model."""
    folder = Path(source)
    if (folder / "run.json").exists() or (folder / SPEC).exists():
        folder = folder / "best" if (folder / "run.json").exists() else folder
        if not (folder / SPEC).exists():
            raise ModelError(f"{source} holds no student", "Name a run that has finished its first epoch")
        return folder
    where = locate(source, revision=None, trust_remote_code=trust_remote_code)
    if folder.is_dir():
        return folder
    with loading(source):
        from huggingface_hub import snapshot_download

        offline = where.get("local_files_only", False)
        copy = snapshot_download(source, revision=where["revision"], local_files_only=offline, allow_patterns=_FILES)
    locate(copy, revision=None, trust_remote_code=trust_remote_code)  # the checks of a folder
    return Path(copy)


def _tensors(path: Path) -> dict[str, Tensor]:
    require_weights_file(path)
    return safetensors.torch.load_file(path)


def _pretrained(network: Any, folder: Path, source: str, trust_remote_code: bool) -> dict[str, Tensor]:
    """The weights of a transformers folder by the names that the student's own class gives them."""
    if not hasattr(type(network), "from_pretrained"):
        message = f"{source} is a model of transformers, and the student is not"
        raise ModelError(message, "Use a student transformers:CONFIG or vit:..., or a run of `teachonce train`")
    where = locate(str(folder), revision=None, trust_remote_code=trust_remote_code)
    arguments = {**where, **weights_arguments(trust_remote_code), "config": network.config}
    with loading(source), seeded(0):
        loaded, found = type(network).from_pretrained(**arguments, ignore_mismatched_sizes=True)
    theirs: dict[str, Tensor] = loaded.state_dict()
    for name in found["missing_keys"]:
        theirs.pop(name, None)
    for name, shape, *_ in found["mismatched_keys"]:
        theirs[name] = theirs[name].new_empty(tuple(shape), device="meta")
    return theirs | {name: next(iter(theirs.values())).new_empty(0, device="meta") for name in found["unexpected_keys"]}


@contextmanager
def _whole(student: Student) -> Iterator[nn.Module]:
    """The network whose tensors have the names that files of weights have."""
    if isinstance(student, SplitClassifier):
        with student.whole() as network:
            yield network
    else:
        yield student


def _head_names(student: Student) -> set[str]:
    """The tensors of the linear layer that the head is; none where it is more than that."""
    places = {tensor.data_ptr() for tensor in linear_head(student) or () if tensor is not None}
    with _whole(student) as network:
        return {name for name, tensor in network.named_parameters() if tensor.data_ptr() in places}


def _mismatch(student: Student, source: str, name: str, mine: Tensor | None, theirs: Tensor | None) -> ModelError:
    ours, other = ("none" if one is None else str(tuple(one.shape)) for one in (mine, theirs))
    return ModelError(f"{source}: expected tensor {name} of the student {student.spec!r}, {ours}, got {other}", _MEND)

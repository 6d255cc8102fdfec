"""Initial weights of a student from those of another network, in the place of random ones."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor, nn

from teachonce.errors import ModelError
from teachonce.fsio import read_json
from teachonce.models.checkpoint import SPEC, WEIGHTS, read_saved
from teachonce.models.classifier import SplitClassifier
from teachonce.models.folders import require_weights_file, weights_files
from teachonce.models.frozen import linear_head, tensors_digest
from teachonce.models.hub import loading, locate, weights_arguments
from teachonce.models.pretrained import class_names
from teachonce.models.student import Student
from teachonce.processwide import seeded
from teachonce.records import read

PROCESSOR = "preprocessor_config.json"
_FILES = ["config.json", PROCESSOR, WEIGHTS, f"{WEIGHTS}.index.json", "model-*.safetensors"]
_AGAIN = "Restore the file from a copy"
_MEND = "Use a source with the student's layers, widths and image size, or leave --init out"


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What is read of a run.json."""

    class_names: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Initial:
    """What a student was initialised from."""

    source: str
    """As it was asked for."""
    head: bool
    """Whether the head is the source's, too; else it is random: the source has other classes, or none."""
    unused: tuple[str, ...]
    """Tensors of the source that the student has not."""
    reordered: bool = False
    """Whether the rows of the head are in another order than in the source, whose classes were matched by name."""
    bgr: bool = False
    """Whether the source takes BGR: the channels of the first convolution are reversed, for pixels in RGB."""

    def text(self) -> str:
        """What a log should say."""
        head = "the head is random: the source has other classes, or none"
        if self.head:
            head = "its head too" + (", its classes matched by name" if self.reordered else "")
        bgr = "; it takes BGR, so the channels of its first convolution are reversed" if self.bgr else ""
        return f"initial weights of {self.source}; {head}{bgr}"


def initial_digest(source: str, *, trust_remote_code: bool = False) -> str:
    """xxh3-128 (hex) over the weights of a source; see `tensors_digest`.

    Raises:
        ModelError: See `initialise`.
        CorruptError: Its files are damaged, or are none.
    """
    files = weights_files(_folder(source, trust_remote_code))
    return tensors_digest({name: value for path in files for name, value in _tensors(path).items()})


def source_classes(source: str, *, trust_remote_code: bool = False) -> tuple[str, ...] | None:
    """The names of a source's classes in the order of its head; None where it has none.

    Raises:
        ModelError: See `initialise`.
        CorruptError: Its files are damaged.
    """
    folder = _folder(source, trust_remote_code)
    for run in (folder.parent / "run.json", folder / "run.json"):
        if (folder / SPEC).exists() and run.exists():
            return read(_Run, run, mend=_AGAIN).class_names
    config = folder / "config.json"
    labels = (read_json(config, mend=_AGAIN).get("id2label") if config.exists() else None) or {}
    return class_names(labels, len(labels)) or None


def initialise(
    student: Student,
    source: str,
    *,
    order: Sequence[int] | None = None,
    with_head: bool = True,
    trust_remote_code: bool = False,
) -> Initial:
    """Replace a student's random weights by those of another network; of a source, no code is run.

    Args:
        student: On the CPU; changed in place.
        source: A run of `teachonce train` (its best student), or for students of transformers a folder or a hub id.
        order: Of each class of the student the source's class, whose row of the head it takes; None: the same one.
        with_head: Whether the head is taken where it has the student's shape; else it stays random.
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
        left = head if absent or not with_head else set[str]()
        bgr = not own and _takes_bgr(folder)
        if bgr:
            first = _first_convolution(network, source)
            theirs[first] = theirs[first].flip(1)
        if order is not None and not left:
            theirs |= {name: theirs[name][list(order)] for name in head}
        network.load_state_dict({name: mine[name] if name in left else theirs[name] for name in mine})
    moved = order is not None and list(order) != sorted(order)
    return Initial(source=source, head=not left, unused=unused, reordered=moved and not left, bgr=bgr)


def _takes_bgr(folder: Path) -> bool:
    """Whether the image processor beside some weights gives BGR, as MobileViT's."""
    path = folder / PROCESSOR
    settings = read_json(path, mend=_AGAIN) if path.exists() else {}
    name = settings.get("image_processor_type") or settings.get("feature_extractor_type")
    return bool(settings.get("do_flip_channel_order", str(name).startswith("MobileViT")))  # its default


def _first_convolution(network: nn.Module, source: str) -> str:
    """The name of the weight that sees the channels of the pixels.

    Raises:
        ModelError: It is not clear which that is.
    """
    modules = network.named_modules()
    found = [name for name, part in modules if isinstance(part, nn.Conv2d) and part.weight.shape[1] == 3]
    if len(found) != 1:
        message = f"{source} takes BGR, and has {len(found)} convolutions of three channels: expected one"
        raise ModelError(message, "Leave --init out")
    return f"{found[0]}.weight"


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

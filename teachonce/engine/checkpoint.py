"""Checkpoints that a kill cannot spoil: folders of safetensors, written aside, made durable, then renamed."""

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from teachonce.errors import CorruptError
from teachonce.fsio import TEMPORARY, disk_errors, json_bytes, make_folder, read_json, require_regular, sync_folder
from teachonce.records import parse, to_json
from teachonce.texts import is_whole

Tensors = Mapping[str, Tensor]
State = TypeVar("State")
_ANEW = "Remove the run's folder, then run the same command again: it starts from the beginning"


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `folder` when the body is through; on an error nothing changes.

    The old folder is set aside as `NAME.previous` for the moment between two renames; `restore` puts it back.

    Raises:
        DiskError: The disk is full, read-only or failing.
    """
    temporary = folder.with_name(f"{TEMPORARY}{folder.name}")
    previous = _previous(folder)
    make_folder(folder.parent)
    with disk_errors(folder):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            yield temporary
            for path in sorted(temporary.rglob("*")):
                _sync(path)
            sync_folder(temporary)
            if folder.exists():
                shutil.rmtree(previous, ignore_errors=True)
                folder.rename(previous)
            temporary.rename(folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        sync_folder(folder.parent)
        shutil.rmtree(previous, ignore_errors=True)


def restore(folder: Path) -> bool:
    """Put a folder back that a kill left set aside, or remove what is no longer needed; say whether there is one now.

    Raises:
        DiskError: It could not be renamed.
    """
    previous = _previous(folder)
    if not folder.exists() and previous.exists():
        with disk_errors(folder):
            previous.rename(folder)
    shutil.rmtree(previous, ignore_errors=True)
    return folder.exists()


def save_checkpoint(folder: Path, parts: Mapping[str, Tensors], state: object) -> None:
    """Write a checkpoint: one NAME.safetensors a part, and the record `state` as state.json.

    Raises:
        DiskError: It could not be written; the checkpoint before it is still whole.
    """
    with replacing(folder) as temporary:
        for name, tensors in parts.items():
            (temporary / f"{name}.safetensors").write_bytes(save(own_tensors(tensors)))
        (temporary / "state.json").write_bytes(json_bytes(to_json(state)))


def load_checkpoint(
    folder: Path, names: Collection[str], state: type[State]
) -> tuple[dict[str, dict[str, Tensor]], State] | None:
    """The parts (on the CPU) and the state of a checkpoint; None where there is none.

    Args:
        folder: Where it is.
        names: Of the parts that are needed.
        state: The class of its state.

    Raises:
        CorruptError: A file of it cannot be read, or it is of another kind of training.
    """
    if not restore(folder):
        return None
    try:
        parts = {path.stem: _tensors(path) for path in sorted(folder.glob("*.safetensors"))}
        found = read_json(folder / "state.json", mend=_ANEW)
    except (OSError, ValueError, SafetensorError) as error:
        raise CorruptError(f"the checkpoint {folder} cannot be read: {error}", _ANEW) from error
    if missing := set(names) - parts.keys():
        raise CorruptError(f"the checkpoint {folder} cannot be read: it has no {min(missing)}.safetensors", _ANEW)
    return parts, parse(state, found, str(folder), mend=_ANEW, within="state.json")


def _tensors(path: Path) -> dict[str, Tensor]:
    require_regular(path, mend=_ANEW)
    return load_file(path)


@contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """Around putting a checkpoint back: tensors of other names, shapes or contents are the checkpoint's fault.

    Raises:
        CorruptError: In the place of what torch raises of them.
    """
    try:
        yield
    except RuntimeError as error:
        first = str(error).split("\n")[0]
        raise CorruptError(f"the checkpoint {folder} belongs to another training: {first}", _ANEW) from error


def own_tensors(tensors: Tensors) -> dict[str, Tensor]:
    """Copies on the CPU, contiguous and each with memory of its own, as safetensors demands (tied weights share)."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state as flat names, `PARAMETER.KEY`; its settings come from the run's."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}.{key}": value
        for index, entry in state.items()
        for key, value in entry.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Put back what `optimizer_tensors` gave.

    Raises:
        RuntimeError: A tensor is of no parameter, or of another shape.
    """
    shapes = [parameter.shape for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, _, key = name.partition(".")
        if not (is_whole(index) and key and int(index) < len(shapes) and value.shape in ((), shapes[int(index)])):
            raise RuntimeError(f"the optimiser has no state {name!r} of shape {tuple(value.shape)}")
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _previous(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.previous")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

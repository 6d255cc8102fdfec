"""Teachers larger than memory: by a device map, accelerate keeps weights on the device, the host, or in their files.

Weights that are left in the files are read for every batch. It needs `accelerate`, and a model of transformers.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from teachonce.errors import CorruptError, InputError, ModelError
from teachonce.models.hub import mismatched
from teachonce.models.precision import TORCH_DTYPES
from teachonce.types import TeacherDtype

SHARE = 0.8
"""Of free memory that weights may take where no limit is given: the rest is for activations and images."""
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_LIMIT = re.compile(rf"(cpu|\d+)=(\d+(?:\.\d+)?)({'|'.join(_UNITS)})")
_USAGE = "Use auto, or auto with limits of the weights in memory: auto,cpu=4GB or auto,0=20GB,cpu=4GB"


@dataclass(frozen=True, kw_only=True)
class DeviceMap:
    """`auto` with limits: first the device, then the host's memory; what is left stays in the files."""

    limits: Mapping[str, int] = field(default_factory=dict)
    """`cpu` or the number of a GPU -> bytes that weights may take there."""

    @classmethod
    def parse(cls, text: str) -> "DeviceMap":
        """From `auto` or `auto,cpu=4GB,0=20GB`.

        Raises:
            InputError: It is something else.
        """
        first, *rest = (word.strip() for word in text.split(","))
        found = [_LIMIT.fullmatch(word) for word in rest]
        if first != "auto" or not all(found):
            raise InputError(f"unknown device map {text!r}", _USAGE)
        return cls(limits={match[1]: int(float(match[2]) * _UNITS[match[3]]) for match in found if match})

    def memory(self, device: torch.device, free: int | None) -> dict[int | str, int]:
        """Bytes that weights may take, by place, as accelerate wants them.

        Args:
            device: What computes.
            free: Bytes of the host's memory that are free; None: accelerate finds them.
        """
        from accelerate.utils import get_max_memory

        most: dict[int | str, int] = {int(place): size for place, size in self.limits.items() if place != "cpu"}
        if device.type == "cuda":
            index = torch.cuda.current_device() if device.index is None else device.index
            most.setdefault(index, int(SHARE * torch.cuda.mem_get_info(device)[0]))
        host = int(SHARE * (get_max_memory()["cpu"] if free is None else free))
        return {**most, "cpu": self.limits.get("cpu", host)}


@dataclass(frozen=True, kw_only=True)
class Placing:
    """Where and how weights are loaded."""

    spec: str
    dtype: TeacherDtype
    device: torch.device
    map: DeviceMap | None
    """None: all of them in the host's memory."""
    free: int | None
    """Bytes of the host's memory that are free; None: not known."""

    def arguments(self, empty: nn.Module | None) -> dict[str, Any]:
        """The arguments of `from_pretrained`.

        Args:
            empty: The network on the meta device; None where it could not be made there.

        Raises:
            ModelError: It does not fit, or accelerate is not installed or cannot place it.
        """
        if self.map is None:
            self._require_room(empty)
            return {}
        if empty is None:
            raise ModelError(f"{self.spec!r} does not support a device map", "Leave --teacher-device-map out")
        return {"device_map": self._device_map(self.map, empty)}

    def _require_room(self, empty: nn.Module | None) -> None:
        if empty is None or self.free is None:
            return
        count = sum(weight.numel() for weight in empty.parameters())
        if weights_bytes(count, self.dtype) <= self.free:
            return
        half = weights_bytes(count, "bf16")
        fits = self.dtype == "float32" and half <= self.free
        less = f"--teacher-dtype bf16 ({_size(half)}), or " if fits else ""
        message = (
            f"{self.spec!r}: {count:,} weights take {_size(weights_bytes(count, self.dtype))} in {self.dtype}, "
            f"and {_size(self.free)} of memory are free"
        )
        raise ModelError(message, f"Use {less}--teacher-device-map auto, which reads what does not fit from the files")

    def _device_map(self, asked: DeviceMap, empty: nn.Module) -> dict[str, int | str]:
        """Module -> where; what images do not need stays in the files and is never read."""
        try:
            from accelerate import infer_auto_device_map
        except ImportError as error:
            raise ModelError("a device map needs the package accelerate", "pip install 'teachonce[offload]'") from error
        unused = [name for name, _ in empty.named_children() if name.startswith("text")]
        for name in unused:
            delattr(empty, name)
        room = asked.memory(self.device, self.free)
        found: dict[str, int | str] = infer_auto_device_map(
            empty,
            max_memory=room,
            no_split_module_classes=list(getattr(empty, "_no_split_modules", None) or ()),
            dtype=TORCH_DTYPES[self.dtype],
        )
        if "" in found and not unused and found[""] != "disk":
            return found  # all of it in one place, as without a map
        if "" in found:
            found = {name: found[""] for name, _ in empty.named_children()}
        # what a network holds itself is in no part that could be read when it runs
        return found | dict.fromkeys(_own(empty), next(iter(room))) | dict.fromkeys(unused, "disk")


def _own(network: nn.Module) -> list[str]:
    """The names of the tensors that a network holds itself, not in a part."""
    tensors = (*network.named_parameters(recurse=False), *network.named_buffers(recurse=False))
    return [name for name, _ in tensors]


def weights_bytes(count: int, dtype: TeacherDtype) -> int:
    """Bytes of so many weights."""
    return count * TORCH_DTYPES[dtype].itemsize


def _size(count: int) -> str:
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"


def is_placed(network: nn.Module) -> bool:
    """Whether a device map holds its weights: it is moved and cast by nobody else."""
    return any(hasattr(part, "_hf_hook") for part in network.modules())


class _Own(Mapping[str, Tensor]):
    """Weights in files, each read into memory of its own: as `own_memory` does for those that stay.

    Args:
        inner: accelerate's, whose `index` says in which file a weight is.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._files = {key: Path(told["safetensors_file"]) for key, told in inner.index.items()}
        self._states = {path: _state(path) for path in set(self._files.values())}

    def __getitem__(self, key: str) -> Tensor:
        """A weight.

        Raises:
            CorruptError: Its file has changed since the teacher was loaded: outputs would be of two teachers.
        """
        path = self._files.get(key)
        if path is not None and _state(path) != self._states[path]:
            message = f"{path} has changed since the teacher was loaded, and its weights are read for every batch"
            raise CorruptError(message, "Run the command again, with the file as it was")
        weight: Tensor = self._inner[key]
        return weight.clone()

    def shapes(self, names: Iterable[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The shapes of some weights as the headers of their files have them; of those that are in files."""
        files: dict[Path, list[str]] = {}
        for name in names:
            if name in self._files:
                files.setdefault(self._files[name], []).append(name)
        for path, own in files.items():
            with safe_open(path, framework="pt") as file:
                for name in own:
                    key = self._inner.index[name].get("weight_name", name)
                    yield name, tuple(file.get_slice(key).get_shape())

    def __iter__(self) -> Iterator[str]:
        return iter(self._inner)

    def __len__(self) -> int:
        return len(self._inner)


def _state(path: Path) -> tuple[int, ...] | None:
    """Size, time and inode of a file; None where it is gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def own_offloaded(network: nn.Module, spec: str) -> None:
    """Let the weights that a device map has left elsewhere be read into memory of their own, whenever they are read.

    Args:
        network: Placed or not.
        spec: For messages.

    Raises:
        ModelError: A file has a weight in another shape than the network: transformers compares only what it loads.
    """
    known: dict[int, _Own] = {}
    for part in network.modules():
        if (hook := _offloading(part)) is not None:
            inner = hook.weights_map.dataset  # one for all parts, behind a prefix of each
            if not isinstance(inner, _Own):
                hook.weights_map.dataset = known.setdefault(id(inner), _Own(inner))
            if isinstance(part, nn.MultiheadAttention):
                _read_whole(part, hook)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items() if tensor.is_meta}
    for own in known.values():
        for name, shape in own.shapes(expected):
            if shape != expected[name]:
                raise mismatched(spec, f"{name} is {shape}, expected {expected[name]}")


def _read_whole(part: nn.Module, hook: Any) -> None:
    """Let a part read the weights of its children too: this one uses them without calling the children."""
    from accelerate.hooks import remove_hook_from_module

    for child in part.children():
        remove_hook_from_module(child, recurse=True)
    hook.place_submodules = True


def _offloading(part: nn.Module) -> Any:
    """The hook that reads a part's weights whenever it runs; None where they stay."""
    hook: Any = getattr(part, "_hf_hook", None)
    hooks = getattr(hook, "hooks", (hook,))  # there may be several in a row
    return next((one for one in hooks if getattr(one, "weights_map", None) is not None), None)


class Weights(Mapping[str, Tensor]):
    """The state dict of a network, each tensor with its values, wherever a device map has left them.

    Args:
        network: Placed or not.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network, self._state = network, network.state_dict()

    def __getitem__(self, key: str) -> Tensor:
        tensor: Tensor = self._state[key]
        if not tensor.is_meta:
            return tensor
        path, _, name = key.rpartition(".")
        while (hook := _offloading(self._network.get_submodule(path))) is None:  # its parent reads it
            path, _, last = path.rpartition(".")
            name = f"{last}.{name}"
        read: Tensor = hook.weights_map[name]
        return read

    def __iter__(self) -> Iterator[str]:
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)


def without_hooks(network: nn.Module) -> dict[int, Any]:
    """A memo of `copy.deepcopy` by which a copy of a placed network loads nothing."""
    hooks = [part._hf_hook for part in network.modules() if hasattr(part, "_hf_hook")]
    if not hooks:
        return {}
    from accelerate.hooks import ModelHook

    return {id(hook): ModelHook() for hook in hooks}

"""Folders of models, looked at before transformers opens a file: what they hold is data, and of a known size."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors

from teachonce.errors import CorruptError, ModelError
from teachonce.fsio import DOCUMENT_BYTES, file_substitute, not_json, read_text, require_regular
from teachonce.models.contents import DOCUMENTS, require_target

_COPY = "Copy the model again"
_LAYERS = re.compile(r"(^|_)(layers?|depths?|blocks)$")
_MOST_LABELS = 1 << 24
_KERNELS = ("attn_implementation", "_attn_implementation", "experts_implementation")


def require_model_folder(folder: Path, *, trust_remote_code: bool) -> None:
    """Refuse a folder of a transformers model of which a file cannot be read, or asks for code.

    Files of weights may have any size, JSON that of a document.

    Raises:
        CorruptError: A file is no regular one, is too large, or is no safetensors file where its name says so; the
            config asks for more layers than there are tensors.
        ModelError: A part of the weights is not in the folder, or no safetensors file; its config names a kernel to be
            fetched and run, and `trust_remote_code` is not given.
    """
    tensors = 0
    index = folder / "model.safetensors.index.json"
    wanted = {"model.safetensors"} | (set(_require_shards(index)) if index.exists() else set())
    for path in sorted(path for path in folder.iterdir() if path.exists() and not path.is_dir()):
        if path.name in wanted:
            tensors += require_weights_file(path)
        else:  # nobody opens weights in another form, or a tokenizer
            most = DOCUMENT_BYTES if path.suffix == ".json" else None
            require_regular(path, most=most, mend=_COPY, pointer=path.name not in DOCUMENTS)
    for name in DOCUMENTS[1:]:
        if (folder / name).exists():
            _object(folder / name)
    if (folder / "config.json").exists():
        config = require_config(folder / "config.json", trust_remote_code=trust_remote_code)
        most = max(_layers(config), default=0)
        if most > tensors:  # to build them would not end, even without memory for their weights
            message = f"{folder / 'config.json'} asks for {most:,} layers, but the weights are {tensors:,} tensors"
            raise CorruptError(message, _COPY)


def require_config(path: Path, *, trust_remote_code: bool) -> dict[str, Any]:
    """Read a config.json, unless it is none, or names a kernel to be fetched and run.

    Raises:
        CorruptError: It is no regular file, too large, or no JSON object; or its number of labels is.
        ModelError: It names a kernel, and `trust_remote_code` is not given.
    """
    config = _object(path)
    if not trust_remote_code and (name := _kernel(config)):
        mend = "Remove it from the config; or, if you trust that code, add --trust-remote-code"
        raise ModelError(f"{path} asks for the kernel {name}, which would be fetched and run", mend)
    labels = config.get("num_labels")
    if isinstance(labels, int) and labels > _MOST_LABELS:  # transformers makes a name for each
        raise CorruptError(f"{path}: expected at most {_MOST_LABELS:,} labels, got {labels:,}", _COPY)
    return config


def _layers(config: Any) -> Iterator[int]:
    """All numbers of layers that a config or a part of it names, those of stages together."""
    if not isinstance(config, dict):
        return
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _layers(value)
        elif _LAYERS.search(key):
            numbers = value if isinstance(value, list) else [value]
            yield sum(number for number in numbers if isinstance(number, int))


def _object(path: Path) -> dict[str, Any]:
    """As transformers reads it, which takes NaN."""
    text = read_text(path, mend=_COPY)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise not_json(str(path), text, error, _COPY) from error
    if not isinstance(value, dict):
        raise CorruptError(f"{path}: expected a JSON object, got a {type(value).__name__}", _COPY)
    return value


def require_weights_file(path: Path) -> int:
    """Refuse a file that is no safetensors file: its header is compared with its size, nothing else is read.

    Returns:
        How many tensors it holds.

    Raises:
        CorruptError: It is not there, no regular file, or its header does not fit.
    """
    try:
        require_regular(path, mend=_COPY)
        with safetensors.safe_open(path, framework="numpy") as file:
            return len(file.keys())
    except (OSError, safetensors.SafetensorError) as error:
        if isinstance(error, CorruptError):
            raise
        if isinstance(error, safetensors.SafetensorError) and (found := file_substitute(path)):
            raise CorruptError(f"{path} is not a safetensors file but {found[0]}", found[1]) from error
        raise CorruptError(f"{path} is damaged or truncated: {error}", _COPY) from error


def weights_files(folder: Path) -> list[Path]:
    """The files that a model's weights are in: one, or the parts that its index names.

    Raises:
        CorruptError: The index is damaged.
        ModelError: It names a file that is not in the folder, or no safetensors file.
    """
    index = folder / "model.safetensors.index.json"
    return [folder / name for name in _require_shards(index)] if index.exists() else [folder / "model.safetensors"]


def _require_shards(index: Path) -> list[str]:
    """The files of a checkpoint in several parts: safetensors, and in the folder itself."""
    names = _object(index).get("weight_map")
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise CorruptError(f"{index}: expected a weight_map of file names", _COPY)
    for name in sorted(set(names.values())):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise ModelError(f"{index} names {name!r}, which is not a safetensors file of this folder", _COPY)
        require_target(index.parent / name)
        if not (index.parent / name).exists():
            raise ModelError(f"{index} names {name}, which is missing", "Copy the whole model folder")
    return sorted(set(names.values()))


def _kernel(config: Any) -> str | None:
    """The first kernel of the hub, `OWNER/NAME`, that a config or a part of it names."""
    if isinstance(config, dict):
        told = [config[key] for key in _KERNELS if key in config]
        named = [name for each in told for name in (each.values() if isinstance(each, dict) else [each])]
        found = next((name for name in named if isinstance(name, str) and "/" in name), None)
        return found or next(filter(None, map(_kernel, config.values())), None)
    return None

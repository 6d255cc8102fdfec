"""Stores whose targets can be told from the bytes of their rows, and datasets to join them with."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from teachonce.cache import SamplesWriter, Store, StoreSpec, TargetWriter, create_or_open, to_stored
from teachonce.digests import digest_bytes
from teachonce.records import to_json
from teachonce.types import DECODED, FAILED, ArraySpec, EvalView, InputSpec
from tests.data.imagekit import encode, noise

WIDTH, CLASSES, BLOCK = 8, 3, 16
LENGTHS = {"image_embedding": WIDTH, "logits": CLASSES}
LONG_AGO = 1_600_000_000
CONTENTS = {f"{'ab'[i % 2]}/{i:03d}.png": encode(noise(8, 4 + i, i)) for i in range(40)}
VALUES = list(CONTENTS.values())
"""Files of a folder with two classes, each another image."""


@lru_cache(maxsize=4096)
def signal(content: bytes, length: int, view: int = 0) -> np.ndarray:
    """What the teacher says of these bytes: float32 (length,)."""
    seed = int.from_bytes(hashlib.sha256(content + bytes([view, length])).digest()[:8], "little")
    return np.random.default_rng(seed).normal(size=length).astype(np.float32)


def make_store(
    path: Path,
    contents: Sequence[bytes],
    *,
    identity: str = "encoded",
    views: int = 1,
    dtype: str = "float16",
    failed: Mapping[int, str] | None = None,
    targets: Sequence[str] = ("teacher",),
    info: Mapping[str, dict[str, Any]] | None = None,
    fingerprints: Mapping[str, dict[str, Any]] | None = None,
) -> Store:
    """A sealed store of rows with these bytes (or keys); those of `failed` gave no image."""
    rows, gone = len(contents), dict(failed or {})
    view = {"augment": None, "seed": None, "view": to_json(EvalView())}
    data: dict[str, Any] = {"description": {}, "class_names": None, "labels": None}
    store = create_or_open(
        path, StoreSpec(rows=rows, views=views, block_rows=BLOCK, identity=identity, data=data, views_spec=view)
    )
    digests = np.array([digest_bytes(content) if content else 0 for content in contents], np.uint64)
    status = np.array([FAILED if row in gone else DECODED for row in range(rows)], np.uint8)
    with SamplesWriter(store) as samples:
        for block in range(store.blocks):
            start, stop = store.block_range(block)
            params = np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (stop - start, views, 1))
            codes = {row: code for row, code in gone.items() if start <= row < stop}
            samples.commit(
                block, digests[start:stop], np.full(stop - start, -1, np.int32), status[start:stop], params, codes
            )
        samples.seal()
    for number, name in enumerate(targets):
        told = (info or {}).get(name, {"input": to_json(InputSpec(height=16, width=16))})
        made = (fingerprints or {}).get(name, {"made": name})
        writer = TargetWriter(
            store, name, kind="classifier", fingerprint=made, settings={}, info=told, arrays=_arrays(dtype), head=None
        )
        _fill(writer, contents, status, gone, dtype, 16 * number)
    return store


def _arrays(dtype: str) -> dict[str, ArraySpec]:
    return {key: ArraySpec(shape=(length,), dtype=dtype) for key, length in LENGTHS.items()}


def _fill(
    writer: TargetWriter, contents: Sequence[bytes], status: np.ndarray, gone: dict[int, str], dtype: str, salt: int
) -> None:
    store = writer.store
    values = {
        key: [[signal(content, length, view + salt) for view in range(store.spec.views)] for content in contents]
        for key, length in LENGTHS.items()
    }
    with writer:
        for block in range(store.blocks):
            start, stop = store.block_range(block)
            part = {key: to_stored(np.array(rows[start:stop]), dtype) for key, rows in values.items()}
            codes = {row: code for row, code in gone.items() if start <= row < stop}
            writer.commit(block, part, status[start:stop], codes)
        writer.seal(labels=None, classes=None, per_class=None, max_failed=len(gone))


def expected(content: bytes, key: str = "image_embedding", view: int = 0, dtype: torch.dtype = torch.float16) -> Tensor:
    """The target of these bytes, as stored."""
    length = LENGTHS[key.rpartition("/")[2]]
    return torch.from_numpy(signal(content, length, view).copy()).to(dtype)


def an_hour_later(patch: pytest.MonkeyPatch) -> None:
    """By the clock that says which files are remembered: those that were written just now are not."""
    now = time.time_ns
    patch.setattr(time, "time_ns", lambda: now() + 3_600_000_000_000)


def write_files(folder: Path, contents: Mapping[str, bytes]) -> list[str]:
    """Files of these bytes, written long ago."""
    paths = [folder / name for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (LONG_AGO, LONG_AGO))
    return [str(path) for path in paths]


class FileItems(torch.utils.data.Dataset):
    """Items that are the bytes of files as a tensor, and the number of the item."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        data = np.frombuffer(Path(self.paths[index]).read_bytes(), np.uint8)
        return torch.from_numpy(data.copy()), index


class ImageFolder(torch.utils.data.Dataset):
    """What torchvision's looks like: `samples` by class and name, of files with these extensions."""

    __module__ = "torchvision.datasets.folder"
    extensions = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")

    def __init__(self, root: str | Path, transform: Callable[[bytes], Any] = len) -> None:
        root = Path(root)
        self.loader, self.transform = Path.read_bytes, transform
        self.classes = sorted(path.name for path in root.iterdir() if path.is_dir())
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}
        self.samples = [
            (str(path), self.class_to_idx[name])
            for name in self.classes
            for path in sorted((root / name).rglob("*"))
            if path.suffix.lower() in self.extensions
        ]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        path, label = self.samples[index]
        return self.transform(self.loader(Path(path))), label


class GifFolder(ImageFolder):
    """Another lister, which takes GIF files too."""

    extensions = (*ImageFolder.extensions, ".gif")

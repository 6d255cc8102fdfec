"""Where everything lies in a store, and how an array is cut into chunk files."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.dtypes import STORED
from teachonce.errors import InputError

FORMAT = 1
KIND = "teachonce.store"
SAMPLES = "samples"  # also the name of its journal, so no target may be called so
PARAMS = 6  # y0, x0, y1, x1 (fractions of the image), flip, quarter turns

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CHUNK_BYTES = 4 << 20


def default_block_rows(embedding_dim: int, itemsize: int) -> int:
    """The largest power of two of rows whose embedding chunk is at most 4 MiB, between 64 and 65,536."""
    rows = max(1, _CHUNK_BYTES // (embedding_dim * itemsize))
    return min(max(1 << (rows.bit_length() - 1), 64), 65_536)


def is_name(name: str) -> bool:
    """Whether a name can be a folder's in a store."""
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """The name of a target, if it can be one.

    Raises:
        InputError: It cannot be a folder's name here.
    """
    if not is_name(name) or name in (SAMPLES, "lock", "zarr.json"):
        raise InputError(
            f"{name!r} cannot be the name of a target",
            "Use up to 64 letters, digits, '.', '_' and '-', a letter or digit first, and not 'samples'",
        )
    return name


@dataclass(frozen=True, kw_only=True)
class Grid:
    """One array and its chunks: (block rows, 1, rest...) where it has rows and views, else (block rows,) or whole.

    An array that is not cut by rows (a head's weight, class means) has one chunk: its `chunk` is its `shape`.
    """

    path: str
    """Relative to the store, with slashes: `targets/teacher/logits`."""
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: str
    axes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The array's own name."""
        return self.path.rpartition("/")[2]

    @property
    def chunk_bytes(self) -> int:
        """The size of every chunk file; the last one is padded."""
        return math.prod(self.chunk) * self.numpy.itemsize

    @property
    def numpy(self) -> np.dtype[Any]:
        """The dtype of the stored bytes."""
        return STORED[self.dtype].numpy

    @property
    def columns(self) -> int:
        """How many chunks a block has: the views, or 1."""
        return self.shape[1] if len(self.shape) > 1 and self.chunk != self.shape else 1

    @property
    def blocks(self) -> int:
        """How many blocks of rows there are."""
        return -(-self.shape[0] // self.chunk[0])

    @property
    def file_bytes(self) -> int:
        """The size of all chunk files together."""
        return self.chunk_bytes * self.columns * self.blocks

    def key(self, block: int, column: int = 0) -> str:
        """A chunk file, relative to the store: `targets/teacher/logits/c/12/0/0`."""
        index = [block, column, *([0] * len(self.shape))][: len(self.shape)]
        return "/".join([self.path, "c", *map(str, index)])

    def keys(self, block: int) -> Iterator[str]:
        """The chunk files of a block, in the order of the views."""
        return (self.key(block, column) for column in range(self.columns))

    def fill(self) -> NDArray[Any]:
        """A chunk that holds the fill value everywhere, writable."""
        return np.full(self.chunk, STORED[self.dtype].fill, dtype=self.numpy)

    def rows(self, block: int) -> range:
        """The rows that a block holds."""
        return range(block * self.chunk[0], min((block + 1) * self.chunk[0], self.shape[0]))


def row_grid(path: str, rows: int, block_rows: int, dtype: str) -> Grid:
    """An array (rows,)."""
    return Grid(path=path, shape=(rows,), chunk=(block_rows,), dtype=dtype, axes=("row",))


def view_grid(path: str, shape: tuple[int, int, int], block_rows: int, dtype: str, axis: str) -> Grid:
    """An array (rows, views, length)."""
    chunk = (block_rows, 1, shape[2])
    return Grid(path=path, shape=shape, chunk=chunk, dtype=dtype, axes=("row", "view", axis))


def whole_grid(path: str, shape: tuple[int, ...], dtype: str, axes: tuple[str, ...]) -> Grid:
    """An array in one chunk."""
    return Grid(path=path, shape=shape, chunk=shape, dtype=dtype, axes=axes)


def sample_grids(rows: int, views: int, block_rows: int) -> tuple[Grid, ...]:
    """The arrays of the samples and of their views."""
    return (
        row_grid("samples/digest", rows, block_rows, "uint64"),
        row_grid("samples/label", rows, block_rows, "int32"),
        row_grid("samples/status", rows, block_rows, "uint8"),
        view_grid("views/params", (rows, views, PARAMS), block_rows, "float32", "parameter"),
    )


def head_grids(name: str, weight: tuple[int, int], *, bias: bool) -> tuple[Grid, ...]:
    """The arrays of a teacher's linear head: weight (C, D) and bias (C,)."""
    place = f"targets/{name}/head"
    grids = (whole_grid(f"{place}/weight", weight, "float32", ("class", "feature")),)
    return (*grids, whole_grid(f"{place}/bias", weight[:1], "float32", ("class",))) if bias else grids


def weights_grid(name: str, size: int) -> Grid:
    """The bytes of a target's weights: one chunk, so that its file is a safetensors file."""
    return whole_grid(f"targets/{name}/weights", (size,), "uint8", ("byte",))


def class_grids(name: str, classes: int, length: int) -> tuple[Grid, Grid]:
    """The arrays of a target's class means: mean (C, D) and count (C,)."""
    mean = whole_grid(f"classes/{name}/mean", (classes, length), "float32", ("class", "feature"))
    return mean, whole_grid(f"classes/{name}/count", (classes,), "int64", ("class",))


def record_path(root: Path, name: str, block: int) -> Path:
    """The journal record of a block; `name` is a target's or `samples`."""
    return root / "journal" / name / f"{block:06d}.json"


def lock_path(root: Path, name: str) -> Path:
    """The lock file of a journal: always there, always empty; byte b stands for block b."""
    return root / "journal" / name / "lock"

"""Rows of one array by number: from memory, from maps side by side, or from a loop over single maps."""

import mmap
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.chunks import Chunks, found_at, wrong_size
from teachonce.cache.layout import Grid
from teachonce.cache.mapping import MappingError, map_chunks
from teachonce.fsio import open_regular

Index = NDArray[np.int64]


class Rows(Protocol):
    """Random access to an array (rows, views, length)."""

    def take(self, rows: Index, view: int | Index) -> NDArray[Any]:
        """Copies of rows, (B, length) in the stored dtype; rows and views are in range."""

    def chunk(self, number: int) -> NDArray[Any]:
        """The bytes behind `take`, by the number of a chunk in `chunk_keys`: (block rows, length), no copy."""


def chunk_keys(grid: Grid) -> list[str]:
    """The chunk files of an array, view by view, so that a view is contiguous."""
    return [grid.key(block, column) for column in range(grid.columns) for block in range(grid.blocks)]


class FlatRows:
    """One flat array (views * padded rows, length): in memory, or mapped where chunks are whole pages."""

    def __init__(self, flat: NDArray[Any], span: int, block_rows: int) -> None:
        """Over `flat`, in which a view takes `span` rows, padding included."""
        self._flat, self._span, self._block_rows = flat, span, block_rows

    def take(self, rows: Index, view: int | Index) -> NDArray[Any]:
        """See Rows."""
        return self._flat.take(rows + view * self._span, axis=0)

    def chunk(self, number: int) -> NDArray[Any]:
        """See Rows."""
        return self._flat[number * self._block_rows : (number + 1) * self._block_rows]


class SlotRows:
    """Maps with gaps between them, (views * blocks, block rows, length)."""

    def __init__(self, slots: NDArray[Any], blocks: int) -> None:
        self._slots, self._blocks = slots, blocks

    def take(self, rows: Index, view: int | Index) -> NDArray[Any]:
        """See Rows."""
        block, row = np.divmod(rows, self._slots.shape[1])
        result: NDArray[Any] = self._slots[block + view * self._blocks, row]
        return result

    def chunk(self, number: int) -> NDArray[Any]:
        """See Rows."""
        values: NDArray[Any] = self._slots[number]
        return values


class LoopRows:
    """Single maps, of which the last used stay open: where there are too many for one range, or another system."""

    def __init__(self, root: Path, grid: Grid, most: int = 128) -> None:
        """Over the chunk files of `grid`, after a look at the size of each; at most `most` stay open."""
        self._root, self._grid, self._most = root, grid, most
        self._open: OrderedDict[str, NDArray[Any]] = OrderedDict()
        for key in chunk_keys(grid):
            path = root / key
            if not path.is_file() or path.stat().st_size != grid.chunk_bytes:
                raise wrong_size(path, grid.chunk_bytes, found_at(path))

    def take(self, rows: Index, view: int | Index) -> NDArray[Any]:
        """See Rows."""
        result = np.empty((len(rows), self._grid.shape[-1]), dtype=self._grid.numpy)
        block, row = np.divmod(rows, self._grid.chunk[0])
        chunk = block + view * self._grid.blocks
        for number in np.unique(chunk).tolist():
            chosen = chunk == number
            result[chosen] = self.chunk(number)[row[chosen]]
        return result

    def chunk(self, number: int) -> NDArray[Any]:
        """See Rows."""
        column, block = divmod(number, self._grid.blocks)
        return self._map(self._grid.key(block, column))

    def _map(self, key: str) -> NDArray[Any]:
        values = self._open.pop(key, None)
        if values is None:
            with os.fdopen(open_regular(self._root / key), "rb") as file:
                mapped = mmap.mmap(file.fileno(), self._grid.chunk_bytes, access=mmap.ACCESS_READ)
            values = np.frombuffer(mapped, dtype=self._grid.numpy).reshape(self._grid.chunk[0], -1)
        self._open[key] = values
        if len(self._open) > self._most:
            self._open.popitem(last=False)
        return values


def resident_rows(chunks: Chunks, grid: Grid) -> Rows:
    """Read all chunks into memory, and check them.

    Raises:
        CorruptError: A chunk is missing, not of its size, or not what was sealed.
    """
    keys = chunk_keys(grid)
    flat = np.empty((len(keys), grid.chunk_bytes), dtype=np.uint8)
    for place, key in zip(flat, keys, strict=True):
        place[:] = np.frombuffer(chunks.read(grid, key), dtype=np.uint8)
    return FlatRows(flat.view(grid.numpy).reshape(-1, grid.shape[-1]), grid.blocks * grid.chunk[0], grid.chunk[0])


def mapped_rows(root: Path, grid: Grid) -> Rows:
    """Map all chunks: side by side where the system allows it.

    Raises:
        CorruptError: A chunk is missing or not of its size.
    """
    try:
        slots = map_chunks(root, grid, chunk_keys(grid))
    except MappingError:
        return LoopRows(root, grid)
    if slots.flags.c_contiguous:
        return FlatRows(slots.reshape(-1, grid.shape[-1]), grid.blocks * grid.chunk[0], grid.chunk[0])
    return SlotRows(slots, grid.blocks)

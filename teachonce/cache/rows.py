"""Rows of one array by number: from memory, from maps side by side, or from a loop over single maps."""

import mmap
from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.chunks import read_chunk, wrong_size
from teachonce.cache.layout import Grid
from teachonce.cache.mapping import MappingError, map_chunks

Index = NDArray[np.int64]


class Rows(Protocol):
    """Random access to an array (rows, views, length)."""

    def take(self, rows: Index, view: int | Index) -> NDArray[Any]:
        """Copies of rows, (B, length) in the stored dtype; rows and views are in range."""


def chunk_keys(grid: Grid) -> list[str]:
    """The chunk files of an array, view by view, so that a view is contiguous."""
    return [grid.key(block, column) for column in range(grid.columns) for block in range(grid.blocks)]


class FlatRows:
    """One flat array (views * padded rows, length): in memory, or mapped where chunks are whole pages."""

    def __init__(self, flat: NDArray[Any], span: int) -> None:
        """Over `flat`, in which a view takes `span` rows, padding included."""
        self._flat, self._span = flat, span

    def take(self, rows: Index, view: int | Index) -> NDArray[Any]:
        """See Rows."""
        return self._flat.take(rows + view * self._span, axis=0)


class SlotRows:
    """Maps with gaps between them, (views * blocks, block rows, length)."""

    def __init__(self, slots: NDArray[Any], blocks: int) -> None:
        self._slots, self._blocks = slots, blocks

    def take(self, rows: Index, view: int | Index) -> NDArray[Any]:
        """See Rows."""
        block, row = np.divmod(rows, self._slots.shape[1])
        result: NDArray[Any] = self._slots[block + view * self._blocks, row]
        return result


class LoopRows:
    """Single maps, of which the last used stay open: where there are too many for one range, or another system."""

    def __init__(self, root: Path, grid: Grid, most: int = 128) -> None:
        """Over the chunk files of `grid`, after a look at the size of each; at most `most` stay open."""
        self._root, self._grid, self._most = root, grid, most
        self._open: OrderedDict[str, NDArray[Any]] = OrderedDict()
        for key in chunk_keys(grid):
            path = root / key
            found = path.stat().st_size if path.is_file() else None
            if found != grid.chunk_bytes:
                raise wrong_size(path, grid.chunk_bytes, "nothing" if found is None else f"{found} bytes")

    def take(self, rows: Index, view: int | Index) -> NDArray[Any]:
        """See Rows."""
        result = np.empty((len(rows), self._grid.shape[-1]), dtype=self._grid.numpy)
        block, row = np.divmod(rows, self._grid.chunk[0])
        chunk = block + view * self._grid.blocks
        for number in np.unique(chunk).tolist():
            chosen = chunk == number
            column, of_block = divmod(number, self._grid.blocks)
            result[chosen] = self._map(self._grid.key(of_block, column))[row[chosen]]
        return result

    def _map(self, key: str) -> NDArray[Any]:
        values = self._open.pop(key, None)
        if values is None:
            with (self._root / key).open("rb") as file:
                mapped = mmap.mmap(file.fileno(), self._grid.chunk_bytes, access=mmap.ACCESS_READ)
            values = np.frombuffer(mapped, dtype=self._grid.numpy).reshape(self._grid.chunk[0], -1)
        self._open[key] = values
        if len(self._open) > self._most:
            self._open.popitem(last=False)
        return values


def resident_rows(root: Path, grid: Grid) -> Rows:
    """Read all chunks into memory."""
    keys = chunk_keys(grid)
    flat = np.empty((len(keys), grid.chunk_bytes), dtype=np.uint8)
    for place, key in zip(flat, keys, strict=True):
        place[:] = np.frombuffer(read_chunk(root, grid, key), dtype=np.uint8)
    return FlatRows(flat.view(grid.numpy).reshape(-1, grid.shape[-1]), grid.blocks * grid.chunk[0])


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
        return FlatRows(slots.reshape(-1, grid.shape[-1]), grid.blocks * grid.chunk[0])
    return SlotRows(slots, grid.blocks)

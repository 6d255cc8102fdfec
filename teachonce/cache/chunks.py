"""Arrays to chunk bytes and back, without opening anything through Zarr; what is read is checked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.dtypes import STORED, is_finite
from teachonce.cache.identity import chunk_digest
from teachonce.cache.layout import Grid
from teachonce.errors import CorruptError, InputError, NonFiniteError
from teachonce.fsio import read_file

REPAIR = "Run the command that made it again with --repair: it repairs only what is damaged"


def check_block(grid: Grid, block: int, values: NDArray[Any]) -> None:
    """Refuse an array that is not the block's: expected (rows, views, length) or (rows,) in the stored dtype.

    Raises:
        InputError: Another shape or dtype.
    """
    expected = (len(grid.rows(block)), *grid.shape[1:])
    if values.shape != expected or values.dtype != grid.numpy:
        raise InputError(
            f"{grid.path}, block {block}: expected {expected} {grid.numpy}, got {values.shape} {values.dtype}",
            "Give the rows of the block, cast by `to_stored`",
        )


def check_finite(grid: Grid, block: int, values: NDArray[Any], failed: Sequence[int]) -> None:
    """Refuse NaN and infinity in rows that did not fail.

    Raises:
        NonFiniteError: Names the array and the first such row.
    """
    if is_finite(values, grid.dtype):
        return
    rows = grid.rows(block)
    for row in rows:
        if row not in failed and not is_finite(values[row - rows.start], grid.dtype):
            raise NonFiniteError(
                f"{grid.path}: row {row} has NaN or infinity",
                "Check the teacher's weights and inputs; for an overflow use --dtype bfloat16 or float32",
            )


def chunks_of(grid: Grid, block: int, values: NDArray[Any], blank: Sequence[int]) -> Iterator[tuple[str, memoryview]]:
    """The chunk files of a block and their bytes; padding and `blank` rows (store's numbers) hold the fill value."""
    start = grid.rows(block).start
    for column, key in enumerate(grid.keys(block)):
        part = values[:, column : column + 1] if values.ndim > 1 else values
        if len(part) < grid.chunk[0] or blank:
            padded = grid.fill()
            padded[: len(part)] = part
            padded[[row - start for row in blank]] = STORED[grid.dtype].fill
            part = padded
        yield key, _bytes(part)


def whole_chunk(grid: Grid, values: NDArray[Any]) -> tuple[str, memoryview]:
    """The only chunk file of an array that is not cut by rows, and its bytes."""
    return grid.key(0), _bytes(np.asarray(values, dtype=grid.numpy))


def found_at(path: Path) -> str:
    """What is there in the place of a chunk file, in words."""
    if not path.exists():
        return "nothing"
    return f"{path.stat().st_size} bytes" if path.is_file() else "not a regular file"


def wrong_size(path: Path, expected: int, got: str) -> CorruptError:
    """The error for a chunk file that is missing or not of its size."""
    return CorruptError(f"{path}: expected {expected} bytes, got {got}", REPAIR)


def wrong_digest(path: Path, expected: str, got: str) -> CorruptError:
    """The error for a chunk file whose bytes are not those that were committed."""
    return CorruptError(f"{path}: its bytes have digest {got}, the journal says {expected}", REPAIR)


@dataclass(frozen=True)
class Chunks:
    """The chunk files of a store with their digests: no byte is given out before it was compared with its digest."""

    root: Path
    digests: Mapping[str, str]
    """Chunk file, relative to the store -> xxh3-128 of its bytes, in hex."""

    def read(self, grid: Grid, key: str) -> bytes:
        """The bytes of a chunk file.

        Raises:
            CorruptError: It is missing, not of its size, or not what was committed.
        """
        path = self.root / key
        try:
            data = read_file(path, most=grid.chunk_bytes)
        except (FileNotFoundError, CorruptError):
            raise wrong_size(path, grid.chunk_bytes, found_at(path)) from None
        if len(data) != grid.chunk_bytes:
            raise wrong_size(path, grid.chunk_bytes, f"{len(data)} bytes")
        self.check(key, data)
        return data

    def check(self, key: str, data: bytes | memoryview) -> None:
        """Compare bytes with the digest of a chunk file.

        Raises:
            CorruptError: They differ, or there is no digest of such a file.
        """
        expected, got = self.digests.get(key, "nothing of it"), chunk_digest(data)
        if got != expected:
            raise wrong_digest(self.root / key, expected, got)

    def block(self, grid: Grid, block: int, column: int = 0) -> NDArray[Any]:
        """One view of a block without its padding, read-only: (rows, length) or (rows,)."""
        data = np.frombuffer(self.read(grid, grid.key(block, column)), dtype=grid.numpy)
        shape = (grid.chunk[0], *grid.chunk[2:]) if len(grid.chunk) > 2 else grid.chunk
        return data.reshape(shape)[: len(grid.rows(block))]

    def whole(self, grid: Grid) -> NDArray[Any]:
        """A whole array in memory, in its shape, writable.

        Raises:
            CorruptError: As `read`; sizes are compared before any memory is taken, of which a document may ask for any.
        """
        for key in (key for block in range(grid.blocks) for key in grid.keys(block)):
            if (got := found_at(self.root / key)) != f"{grid.chunk_bytes} bytes":
                raise wrong_size(self.root / key, grid.chunk_bytes, got)
        result = np.empty(grid.shape, dtype=grid.numpy)
        for rows, values in self.row_blocks(grid):
            result[rows] = values
        return result

    def row_blocks(self, grid: Grid) -> Iterator[tuple[slice, NDArray[Any]]]:
        """An array in pieces of whole rows, one block in memory at a time: which rows, and their values."""
        if grid.chunk == grid.shape:
            values = np.frombuffer(self.read(grid, grid.key(0)), dtype=grid.numpy).reshape(grid.shape)
            yield slice(0, grid.shape[0]), values
            return
        for block in range(grid.blocks):
            rows = grid.rows(block)
            views = [self.block(grid, block, column) for column in range(grid.columns)]
            yield slice(rows.start, rows.stop), np.stack(views, axis=1) if len(grid.shape) > 1 else views[0]


def _bytes(values: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data

"""Arrays to chunk bytes and back, without opening anything through Zarr."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.dtypes import STORED, is_finite
from teachonce.cache.layout import Grid
from teachonce.errors import CorruptError, InputError, NonFiniteError
from teachonce.fsio import read_file, require_regular

_COPY = "Restore the file from a copy, or embed again with another --name"


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
                f"{grid.path}: row {row} holds NaN or infinity",
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


def wrong_size(path: Path, expected: int, got: str) -> CorruptError:
    """The error for a chunk file that is missing or not of its size."""
    return CorruptError(f"{path}: expected {expected} bytes, got {got}", _COPY)


def read_bytes(path: Path, most: int = 1 << 62) -> bytes:
    """The bytes of a file that has to be there, at most so many.

    Raises:
        CorruptError: It is missing, larger, no regular file, or cannot be read.
    """
    try:
        return read_file(path, most=most, mend=_COPY)
    except OSError as error:
        raise CorruptError(f"{path} cannot be read: {error.strerror}", _COPY) from None


def read_chunk(root: Path, grid: Grid, key: str) -> bytes:
    """The bytes of a chunk file.

    Raises:
        CorruptError: It is missing, or not of its size.
    """
    data = read_bytes(root / key, grid.chunk_bytes)
    if len(data) != grid.chunk_bytes:
        raise wrong_size(root / key, grid.chunk_bytes, f"{len(data)} bytes")
    return data


def read_block(root: Path, grid: Grid, block: int, column: int = 0) -> NDArray[Any]:
    """One view of a block without its padding, read-only: (rows, length) or (rows,)."""
    data = np.frombuffer(read_chunk(root, grid, grid.key(block, column)), dtype=grid.numpy)
    shape = (grid.chunk[0], *grid.chunk[2:]) if len(grid.chunk) > 2 else grid.chunk
    return data.reshape(shape)[: len(grid.rows(block))]


def require_chunks(root: Path, grid: Grid) -> None:
    """Compare the sizes of an array's chunk files with its document, which may ask for any amount of memory.

    Raises:
        CorruptError: The first that is missing, no regular file, or of another size.
    """
    for block in range(grid.blocks):
        for key in grid.keys(block):
            try:
                size = require_regular(root / key, mend=_COPY)
            except FileNotFoundError:
                raise wrong_size(root / key, grid.chunk_bytes, "no file") from None
            if size != grid.chunk_bytes:
                raise wrong_size(root / key, grid.chunk_bytes, f"{size} bytes")


def read_whole(root: Path, grid: Grid) -> NDArray[Any]:
    """A whole array in memory, in its shape, writable.

    Raises:
        CorruptError: A chunk file is missing, or not of its size: found before any memory is taken.
    """
    require_chunks(root, grid)
    result = np.empty(grid.shape, dtype=grid.numpy)
    if grid.chunk == grid.shape:
        result.reshape(-1)[:] = np.frombuffer(read_chunk(root, grid, grid.key(0)), dtype=grid.numpy)
        return result
    for block in range(grid.blocks):
        rows = grid.rows(block)
        for column in range(grid.columns):
            target = result[rows.start : rows.stop]
            (target[:, column] if result.ndim > 1 else target)[...] = read_block(root, grid, block, column)
    return result


def row_blocks(root: Path, grid: Grid) -> Iterator[tuple[slice, NDArray[Any]]]:
    """An array in pieces of whole rows, one block in memory at a time: which rows, and their values."""
    if grid.chunk == grid.shape:
        yield slice(0, grid.shape[0]), read_whole(root, grid)
        return
    for block in range(grid.blocks):
        rows = grid.rows(block)
        views = [read_block(root, grid, block, column) for column in range(grid.columns)]
        yield slice(rows.start, rows.stop), np.stack(views, axis=1) if len(grid.shape) > 1 else views[0]


def _bytes(values: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data

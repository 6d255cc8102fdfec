"""Class means: computed from stored rows, so they can be made again at any time without the teacher."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.chunks import Chunks
from teachonce.cache.dtypes import from_stored
from teachonce.cache.layout import Grid
from teachonce.types import DECODED


def chosen_rows(labels: NDArray[np.int32], status: NDArray[np.uint8], per_class: int | None) -> NDArray[np.int64]:
    """The rows the means are taken over, in order: labelled, decoded, the first `per_class` of each class.

    Args:
        labels: int32 (rows,), -1 where there is none.
        status: uint8 (rows,).
        per_class: How many of each class; None: all.
    """
    rows = np.flatnonzero((labels >= 0) & (status == DECODED))
    if per_class is None or not len(rows):
        return rows
    order = np.argsort(labels[rows], kind="stable")
    grouped = labels[rows][order]
    starts = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]])
    rank = np.arange(len(grouped)) - np.repeat(starts, np.diff(np.r_[starts, len(grouped)]))
    return np.sort(rows[order[rank < per_class]])


def class_means(
    chunks: Chunks, grid: Grid, labels: NDArray[np.int32], rows: NDArray[np.int64], classes: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Mean and count of each class over view 0 of the given rows: added one by one in float64, in their order.

    Returns:
        float32 (classes, D), NaN where a class has no row; int64 (classes,).
    """
    sums = np.zeros((classes, grid.shape[2]), dtype=np.float64)
    for numbers, values in _by_block(chunks, grid, rows):
        for label, value in zip(labels[numbers].tolist(), values.astype(np.float64), strict=True):
            sums[label] += value
    count = np.bincount(labels[rows], minlength=classes).astype(np.int64)
    mean = np.full(sums.shape, np.nan, dtype=np.float64)
    np.divide(sums, count[:, None], out=mean, where=count[:, None] > 0)
    return mean.astype(np.float32), count


def _by_block(
    chunks: Chunks, grid: Grid, rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    blocks = rows // grid.chunk[0]
    for block in np.unique(blocks).tolist():
        numbers = rows[blocks == block]
        yield numbers, from_stored(chunks.block(grid, block)[numbers - block * grid.chunk[0]], grid.dtype)

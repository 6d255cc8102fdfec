"""Checking the chunks of an array while its rows are read: each once, and after the last nothing is asked any more."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.chunks import Chunks
from teachonce.cache.layout import Grid
from teachonce.cache.rows import Index, Rows, chunk_keys
from teachonce.errors import CorruptError


class CheckedRows:
    """Rows whose chunks are compared with their digests when they are first touched, or behind the reader.

    Args:
        rows: Where the rows are.
        chunks: The digests.
        grid: The array.
        behind: Do not wait for the check: whoever calls `check_next` does it, and rows that were read before are
            counted in `unchecked_rows`.
        done: Called once every chunk has been checked.
    """

    def __init__(
        self, rows: Rows, chunks: Chunks, grid: Grid, *, behind: bool = False, done: Callable[[], None]
    ) -> None:
        self.rows = rows
        self._chunks, self._grid, self._behind, self._done = chunks, grid, behind, done
        self._keys = chunk_keys(grid)
        self._unseen = np.ones(len(self._keys), np.bool_)
        self._touched = np.zeros(len(self._keys), np.bool_)
        self.unchecked_rows = 0
        """Rows that were read before their chunk was checked."""
        self._error: CorruptError | None = None

    def take(self, rows: Index, view: int | Index) -> NDArray[Any]:
        """See Rows.

        Raises:
            CorruptError: A chunk that is touched is not what was sealed.
        """
        if self._error is not None:
            raise self._error
        numbers = rows // self._grid.chunk[0] + view * self._grid.blocks
        unseen = numbers[self._unseen[numbers]]
        if self._behind:
            self.unchecked_rows += len(unseen)
            self._touched[unseen] = True
        else:
            for number in np.unique(unseen).tolist():
                self._check(number)
        return self.rows.take(rows, view)

    def chunk(self, number: int) -> NDArray[Any]:
        """See Rows."""
        return self.rows.chunk(number)

    def check_next(self) -> int:
        """Check one more chunk, those first of which rows were read already.

        Returns:
            Its bytes; 0 where there is none left.

        Raises:
            CorruptError: It is not what was sealed; every later read raises it, too.
        """
        unseen = self._unseen & self._touched
        left = np.flatnonzero(unseen if unseen.any() else self._unseen)
        if not len(left):
            return 0
        self._check(int(left[0]))
        return self._grid.chunk_bytes

    def _check(self, number: int) -> None:
        values = self.rows.chunk(number)
        try:
            self._chunks.check(self._keys[number], values.reshape(-1).view(np.uint8).data)
        except CorruptError as error:
            self._error = error
            raise
        self._unseen[number] = False
        if not self._unseen.any():
            self._done()

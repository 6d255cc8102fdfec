"""What steps need of the store, read before it is asked for."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from teachonce.engine.background import Ahead

T = TypeVar("T")
Rows = NDArray[np.int64]
_DEPTH = 4  # batches that are read and wait, which bounds the memory


class ReadAhead(Generic[T]):
    """Batches that a thread reads ahead, in the order that was planned; another one is read when it is asked for.

    Args:
        read: What is wanted of rows (B,) in a view.
    """

    most = _DEPTH + 1
    """Batches that are read before they are taken, at most: the last one waits for room."""

    def __init__(self, read: Callable[[Rows, int], T]) -> None:
        self._read = read
        self._thread: Ahead[tuple[Rows, T]] | None = None
        self._planned: Iterator[tuple[Rows, T]] = iter(())
        self._view = 0

    def plan(self, batches: Sequence[Rows], view: int) -> None:
        """Begin to read these batches; what was planned before is forgotten."""
        self.close()
        self._thread = Ahead(((rows, self._read(rows, view)) for rows in batches), depth=_DEPTH)
        self._planned, self._view = iter(self._thread), view

    def take(self, rows: Rows, view: int) -> T:
        """What `read` gives for these rows.

        Raises:
            Exception: Whatever `read` raised.
        """
        planned = next(self._planned, None) if view == self._view else None
        if planned is not None and (planned[0] is rows or np.array_equal(planned[0], rows)):
            return planned[1]
        self.close()  # not the view or the order that was planned
        return self._read(rows, view)

    def close(self) -> None:
        """Stop the thread, and wait for it."""
        if self._thread is not None:
            self._thread.close()
            self._thread, self._planned = None, iter(())

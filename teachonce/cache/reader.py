"""Random access to a sealed target."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.checking import CheckedRows
from teachonce.cache.layout import Grid
from teachonce.cache.rows import Rows, mapped_rows, resident_rows
from teachonce.cache.targets import TargetRecord
from teachonce.cache.verify import verify_target
from teachonce.errors import CorruptError, InputError, StoreMissingError

Check = Literal["first-touch", "background", "marked"]
BUDGET = 256 << 20  # bytes of arrays that are worth holding in memory


class TargetReader:
    """Reads rows of a sealed target, in any order, as stored.

    Arrays are opened when first read, and then nothing goes through Zarr. A reader pickles as its path, so worker
    processes open their own; a forked child may go on with its parent's.
    """

    def __init__(self, record: TargetRecord, *, budget_bytes: int | None = None, check: Check = "first-touch") -> None:
        """Read the target of `record`.

        Args:
            record: A sealed one.
            budget_bytes: Up to this size all of its arrays are held in memory (tier `resident`), above it their
                files are mapped (tier `mapped`); None: 256 MiB.
            check: When mapped chunks are compared with their digests: `first-touch`, each before its first row is
                given out; `background`, by `check_next`, while rows that come before are counted; `marked`, not at
                all, because a verified mark holds (`cache.mark`). Resident arrays are checked as they are loaded.
        """
        self.record, self.spec = record, record.spec
        self._budget = BUDGET if budget_bytes is None else budget_bytes
        self._grids = {grid.name: grid for grid in record.grids if grid.name in record.arrays}
        size = sum(grid.file_bytes for grid in self._grids.values())
        self.tier: Literal["resident", "mapped"] = "resident" if size <= self._budget else "mapped"
        self._check: Check = check
        self._open: dict[str, Rows] = {}
        self._checking: dict[str, CheckedRows] = {}  # arrays that are open and not checked throughout yet
        self._checked: list[CheckedRows] = []

    def __repr__(self) -> str:
        return f"TargetReader({str(self.record.root)!r}, {self.record.name!r}, tier={self.tier!r})"

    def __reduce__(self) -> tuple[Callable[..., "TargetReader"], tuple[Any, ...]]:
        record = self.record
        return _reopen, (record.root.absolute(), record.name, record.seal["journal"], self._budget, self._check)

    def read(self, array: str, rows: NDArray[np.int64], view: int | NDArray[np.int64] = 0) -> NDArray[Any]:
        """Copies of rows.

        Args:
            array: Such as `image_embedding` or `logits`.
            rows: int64 (B,), any order, repeats allowed.
            view: One for all, or int64 (B,), one a row.

        Returns:
            (B, length) in the stored dtype; bfloat16 as uint16 bits. Failed rows hold NaN.

        Raises:
            StoreMissingError: The target has no such array.
            InputError: A row or a view is out of range, or no whole number.
            CorruptError: A chunk is missing or not of its size (at the first read of the array), or its bytes are not
                what was sealed (when it is first touched).
        """
        source = self._rows(array)
        rows = _whole("row", rows)
        _check_range("row", rows, self.spec.rows)
        views = view if isinstance(view, int) else _whole("view", view)
        _check_range("view", np.asarray(views), self.spec.views)
        return source.take(rows, views)

    def all(self, array: str, view: int = 0) -> NDArray[Any]:
        """All rows of a view in memory: (rows, length) in the stored dtype, writable; bfloat16 as uint16 bits.

        Raises:
            StoreMissingError: The target has no such array.
            InputError: The view is out of range.
            CorruptError: A chunk is missing, not of its size, or not what was sealed.
        """
        grid = self._grid(array)
        _check_range("view", np.asarray(view), self.spec.views)
        result = np.empty((self.spec.rows, grid.shape[-1]), dtype=grid.numpy)
        for block in range(grid.blocks):
            rows = grid.rows(block)
            result[rows.start : rows.stop] = self.record.chunks.block(grid, block, view)
        return result

    def open(self, arrays: Collection[str]) -> None:
        """Open arrays before their first read, so that a missing chunk is told at once.

        Raises:
            StoreMissingError: The target has no such array.
            CorruptError: See `read`.
        """
        for array in arrays:
            self._rows(array)

    def check_next(self) -> int:
        """Compare one more mapped chunk of the open arrays with its digest.

        Returns:
            Its bytes; 0 where nothing is left.

        Raises:
            CorruptError: It is not what was sealed; every later read of the array raises it, too.
        """
        return next((size for rows in list(self._checking.values()) if (size := rows.check_next())), 0)

    @property
    def unchecked_rows(self) -> int:
        """Rows that were read before their chunks were checked, each as often as it was read."""
        return sum(rows.unchecked_rows for rows in self._checked)

    def verify(self, arrays: Collection[str] | None = None) -> None:
        """Recompute the digests of the target; some gigabytes a second where the files are in the page cache.

        Args:
            arrays: Only those of these arrays' chunks, and of what is small; None: all.

        Raises:
            CorruptError: Names the first chunk or record that is not what was sealed.
        """
        verify_target(self.record, arrays)

    def _grid(self, array: str) -> Grid:
        if array not in self._grids:
            raise StoreMissingError(
                f"target {self.record.name!r} of {self.record.root} has no {array}, it has {', '.join(self._grids)}",
                "Choose one of them, or make the target again with a teacher that has it",
            )
        return self._grids[array]

    def _rows(self, array: str) -> Rows:
        if array not in self._open:
            self._open[array] = self._opened(array, self._grid(array))
        return self._open[array]

    def _opened(self, array: str, grid: Grid) -> Rows:
        if self.tier == "resident":
            return resident_rows(self.record.chunks, grid)
        rows = mapped_rows(self.record.root, grid)
        if self._check == "marked":
            return rows

        def done() -> None:  # from now on nothing stands between a read and its map
            self._open[array] = rows
            self._checking.pop(array, None)  # another thread may have been first

        behind = self._check == "background"
        checked = CheckedRows(rows, self.record.chunks, grid, behind=behind, done=done)
        self._checking[array] = checked
        self._checked.append(checked)
        return checked


def _reopen(root: Path, name: str, journal: str, budget: int, check: Check) -> TargetReader:
    from teachonce.cache.store import open_store  # it opens readers

    reader = open_store(root).target(name, budget_bytes=budget, check=check)
    if reader.record.seal["journal"] != journal:
        raise CorruptError(f"target {name!r} of {root} was replaced while it was read", "Open the store again")
    return reader


def _whole(what: str, numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Numbers of rows or views as int64; a mask or fractions would else be read as other rows."""
    given = np.asarray(numbers)
    if given.size and given.dtype.kind not in "iu":
        raise InputError(f"expected {what}s as whole numbers, got {given.dtype}", "Give np.flatnonzero of a mask")
    return given.astype(np.int64, copy=False)


def _check_range(what: str, numbers: NDArray[np.int64], count: int) -> None:
    # as unsigned numbers the negative ones are the largest, so one pass sees both ends
    if numbers.size and int(numbers.astype(np.int64, copy=False).view(np.uint64).max()) >= count:
        wrong = next(number for number in numbers.reshape(-1).tolist() if not 0 <= number < count)
        raise InputError(f"there is no {what} {wrong}: the target has {count}, counted from 0")

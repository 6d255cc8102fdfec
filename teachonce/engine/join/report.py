"""What joined with what: items and rows that found each other, and those that did not, counted and named."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachonce.errors import FailedSamplesError, MismatchError, TeachonceError

Numbers = NDArray[np.int64]
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class JoinReport:
    """How the items of a dataset and the rows of a store were joined."""

    store: str
    items: int
    """Of the dataset."""
    missing: Numbers
    """The items that the store has no row of, ascending."""
    failed: Mapping[int, str]
    """Item -> why its row has no target."""
    repeated: Numbers
    """The items whose content an earlier item has too: they get the same targets."""
    copies: Numbers
    """The rows of the store that are not taken, because another one holds the same bytes, ascending."""
    unused: Numbers
    """The rows of the store that no item is of, ascending."""
    name: Callable[[int], str]
    """What an item is called: its file, its key, or its number."""

    @property
    def left_out(self) -> Numbers:
        """The items without targets, ascending."""
        return np.union1d(self.missing, np.fromiter(self.failed, np.int64, len(self.failed)))

    @property
    def joined(self) -> int:
        """How many items have targets."""
        return self.items - len(self.left_out)

    def error(self) -> TeachonceError | None:
        """The error of a dataset whose items do not all have targets; None where they do."""
        problems = self._problems()
        if not problems:
            return None
        mend = 'Use the data that the store was made from, or leave these out with missing="drop"'
        return (MismatchError if len(self.missing) else FailedSamplesError)("; ".join(problems), mend)

    def __str__(self) -> str:
        """One line."""
        parts = [f"{self.joined:,} of {self.items:,} items have targets in {self.store}", *self._problems()]
        if len(self.repeated):
            parts.append(f"{len(self.repeated):,} items are duplicates ({self._named(self.repeated)})")
        if len(self.copies):
            parts.append(f"{len(self.copies):,} rows of the store are duplicates ({_first(self.copies, _row)})")
        if len(self.unused):
            parts.append(f"{len(self.unused):,} rows of the store have no item ({_first(self.unused, _row)})")
        return "; ".join(parts)

    def _problems(self) -> list[str]:
        problems = []
        if len(self.missing):
            of = "none" if len(self.missing) == self.items else f"{len(self.missing):,}"
            how = "is in" if of == "none" else "are not in"
            problems.append(f"{of} of {self.items:,} items {how} {self.store}: {self._named(self.missing)}")
        if self.failed:
            named = _first(self.failed, lambda item: f"{self.name(item)} ({self.failed[item]})")
            problems.append(f"{len(self.failed):,} items failed when the teacher ran: {named}")
        return problems

    def _named(self, items: Numbers) -> str:
        return _first(items, self.name)


def _row(row: int) -> str:
    return f"row {row}"


def _first(numbers: Iterable[int], name: Callable[[int], str]) -> str:
    every = [int(number) for number in numbers]
    more = f" and {len(every) - _SHOWN:,} more" if len(every) > _SHOWN else ""
    return ", ".join(map(name, every[:_SHOWN])) + more

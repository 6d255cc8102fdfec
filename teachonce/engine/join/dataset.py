"""A user's dataset with the teacher's targets beside each item."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from teachonce.engine.join.report import JoinReport, Numbers
from teachonce.engine.join.signals import Signals

Item = tuple[Any, dict[str, Tensor | int]]


class JoinedDataset(Dataset[Item]):
    """Item i is `(item, targets)`: what the dataset gives, and a mapping of its row's signals.

    `targets` holds a tensor (length,) in the stored dtype, on the host, for each signal, and `row`, the number of the
    row in the store; default collating makes (B, length) and int64 (B,) of them. It pickles as the dataset, the
    store's path and at most eight bytes an item: four for its number and four for its row.

    Args:
        dataset: Map-style.
        signals: What to read.
        items: int64 (n,), the items of the dataset that are left.
        rows: int64 (n,), their rows in the store.
        view: The view whose targets are read.
        report: How they were found.

    Attributes:
        dataset: The one that was given.
        rows: The rows of the store, int64 (n,).
        report: What joined with what; it stays in the process that joined.
    """

    report: JoinReport | None

    def __init__(
        self, dataset: Any, signals: Signals, *, items: Numbers, rows: Numbers, view: int, report: JoinReport
    ) -> None:
        self.dataset, self.view, self.report = dataset, view, report
        self._signals = signals
        self._items, self._rows = _small(items), _small(rows)

    @property
    def rows(self) -> Numbers:
        """The rows of the store, int64 (n,), in the order of the items."""
        return np.arange(self._rows) if isinstance(self._rows, int) else self._rows.astype(np.int64)

    def __len__(self) -> int:
        return self._rows if isinstance(self._rows, int) else len(self._rows)

    def __getitem__(self, index: int) -> Item:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Item]:
        """Several items at once, as a DataLoader asks for them: their targets are one read."""
        numbers = _inside(np.asarray(indices, np.int64), len(self))
        items, rows = (_take(part, numbers) for part in (self._items, self._rows))
        signals = {key: value.unbind(0) for key, value in self._signals.read(rows, self.view).items()}
        given = self._given(items.tolist())
        return [
            (item, {"row": row, **{key: values[place] for key, values in signals.items()}})
            for place, (item, row) in enumerate(zip(given, rows.tolist(), strict=True))
        ]

    def _given(self, items: list[int]) -> list[Any]:
        batched = getattr(self.dataset, "__getitems__", None)
        return list(batched(items)) if batched is not None else [self.dataset[item] for item in items]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "report": None}


Kept = Numbers | int
"""Numbers; where they count from 0 without a gap, how many."""


def _small(numbers: Numbers) -> Kept:
    """In as few bytes as they need: every worker gets a copy."""
    if np.array_equal(numbers, np.arange(len(numbers))):
        return len(numbers)
    return numbers.astype(np.int32) if numbers.max() < 2**31 else numbers


def _take(kept: Kept, numbers: Numbers) -> Numbers:
    return numbers if isinstance(kept, int) else kept[numbers].astype(np.int64)


def _inside(numbers: Numbers, count: int) -> Numbers:
    """Indices as sequences have them: negative ones count from the end.

    Raises:
        IndexError: There is no such item.
    """
    wrong = (numbers < -count) | (numbers >= count)
    if wrong.any():
        raise IndexError(f"there is no item {numbers[wrong][0]}: there are {count}")
    return np.where(numbers < 0, numbers + count, numbers)

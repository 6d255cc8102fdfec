"""A user's dataset with the teacher's targets beside each item."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from teachonce.engine.join.found import gives_batches, marks
from teachonce.engine.join.report import JoinReport, Numbers
from teachonce.engine.join.signals import Signals
from teachonce.engine.join.values import inside
from teachonce.errors import MismatchError

Item = tuple[Any, dict[str, Tensor | int]]


class JoinedDataset(Dataset[Item]):
    """Item i is `(item, targets)`: what the dataset gives, and a mapping of its row's signals.

    `targets` holds a tensor (length,) in the stored dtype, on the host, for each signal, and `row`, the number of the
    row in the store; default collating makes (B, length) and int64 (B,) of them. It pickles as the dataset, the
    store's path and at most twelve bytes an item: four for its number, four for its row, and four for what it is of.

    Args:
        dataset: Map-style.
        signals: What to read.
        items: int64 (n,), the items of the dataset that are left.
        rows: int64 (n,), their rows in the store.
        view: The view whose targets are read.
        report: How they were found.
        marks: int64 (n,), what the items were of (`found.marks`), where that can be told; reading compares it.

    Attributes:
        dataset: The one that was given.
        rows: The rows of the store, int64 (n,).
        report: What joined with what; it stays in the process that joined.
    """

    report: JoinReport | None

    def __init__(
        self,
        dataset: Any,
        signals: Signals,
        *,
        items: Numbers,
        rows: Numbers,
        view: int,
        report: JoinReport,
        marks: Numbers | None,
    ) -> None:
        self.dataset, self.view, self.report = dataset, view, report
        self._signals = signals
        self._items, self._rows = _small(items), _small(rows)
        self._marks = None if marks is None else _small(marks)

    @property
    def rows(self) -> Numbers:
        """The rows of the store, int64 (n,), in the order of the items."""
        return np.arange(self._rows) if isinstance(self._rows, int) else self._rows.astype(np.int64)

    def __len__(self) -> int:
        return self._rows if isinstance(self._rows, int) else len(self._rows)

    def __getitem__(self, index: int) -> Item:
        return self._read([index], in_batches=False)[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Item]:
        """Several items at once, as a DataLoader asks for them: their targets are one read.

        Raises:
            MismatchError: The dataset lists its files in another order than when it was joined.
            CorruptError: Bytes of the targets are not what was sealed.
        """
        return self._read(indices, in_batches=gives_batches(self.dataset))

    def _read(self, indices: Sequence[int], *, in_batches: bool) -> list[Item]:
        numbers = inside(np.asarray(indices, np.int64), len(self))
        items, rows = (_take(part, numbers) for part in (self._items, self._rows))
        listed = items.tolist()
        self._refuse_changed(numbers, listed)
        signals = {key: value.unbind(0) for key, value in self._signals.read(rows, self.view).items()}
        given = self.dataset.__getitems__(listed) if in_batches else [self.dataset[item] for item in listed]
        return [
            (item, {"row": row, **{key: values[place] for key, values in signals.items()}})
            for place, (item, row) in enumerate(zip(given, rows.tolist(), strict=True))
        ]

    def _refuse_changed(self, numbers: Numbers, items: list[int]) -> None:
        if self._marks is None:
            return
        with suppress(IndexError):  # there are fewer
            if np.array_equal(_take(self._marks, numbers), marks(self.dataset, items)):
                return
        raise MismatchError(
            "the order of the dataset has changed since teacher.dataset(...)",
            "Call teacher.dataset(...) again, after shuffling or selecting",
        )

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

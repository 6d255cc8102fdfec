"""Whether the data at hand is the data of the store: identities, labels, classes. A difference names its first row."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.store import Store
from teachonce.cache.targets import target_names
from teachonce.data.labels import match_labels, out_of_order, plain
from teachonce.data.samples import Samples
from teachonce.engine.rows import WORTH_TELLING
from teachonce.errors import DataError, MismatchError
from teachonce.events import SILENT, Events
from teachonce.methods.base import require_class_means
from teachonce.types import DECODED

Rows = NDArray[np.int64]
SPREAD = 1024
_LOGITS = "Use data of the same classes in the same order, or a method that needs no logits, such as clip-teacher-kd"
_LABELS = "Name the column of labels that the store was made with (--label-column)"
_SAME = "Use the data, split and --limit the store was made from, or make another store with `teachonce embed`"


class Classes(Protocol):
    """The classes of some data: samples have them, and a store says them."""

    @property
    def classes(self) -> int | None:
        """How many; None without labels."""

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """In the order of the labels, where they have names."""


class DataGuard:
    """Compares rows of the data with the store's, each once.

    Args:
        store: A store whose samples are sealed.
        samples: The data.
        failed: Whether rows that failed are compared, too: identities where there were bytes, and labels.

    Raises:
        UnsealedError: The store is not finished.
        MismatchError: Another number of rows, another kind of identity, or other labels.
    """

    def __init__(self, store: Store, samples: Samples, *, failed: bool = False) -> None:
        self._store, self._samples, self._failed = store, samples, failed
        self._compared = store.sample_status() == DECODED
        self._digests = store.digests()
        if failed:
            self._compared[:] = True
        self._unseen = self._compared & (self._digests != 0) if failed else self._compared.copy()
        _check_kind(store, samples)

    @property
    def complete(self) -> bool:
        """Whether every row has been compared."""
        return not self._unseen.any()

    def check_start(self, *, every: bool, events: Events = SILENT) -> None:
        """Compare before training: every row, or 1,024 spread ones; then the labels of all.

        Raises:
            MismatchError: Names the first row, and whether the data is another, reordered or relabelled.
        """
        rows = np.arange(len(self._digests), dtype=np.int64)
        if not every:
            rows = np.unique(np.linspace(0, len(rows) - 1, min(SPREAD, len(rows))).astype(np.int64))
        watch = events if len(rows) > WORTH_TELLING else SILENT
        with watch.task("compare the data with the store", total=len(rows)) as task:
            for part in np.array_split(rows, max(1, len(rows) // 1024)):
                self.check(part)
                task.advance(len(part))
        self._check_labels()

    def check(self, rows: Rows) -> None:
        """Compare the identities of those rows that were not compared before.

        Raises:
            MismatchError: See `check_start`.
        """
        rows = np.sort(rows[self._unseen[rows]])
        got = np.fromiter((self._samples.digest(int(row)) for row in rows), np.uint64, len(rows))
        wrong = np.flatnonzero(got != self._digests[rows])
        if len(wrong):
            raise self._other(rows[wrong], got[wrong])
        self._unseen[rows] = False

    def _other(self, rows: Rows, got: NDArray[np.uint64]) -> MismatchError:
        row = int(rows[0])
        place = np.flatnonzero(self._digests == got[0])
        if np.isin(got, self._digests).all():
            message = f"the data is the store's, but reordered: row {row} of the data is row {place[0]} of the store"
            return MismatchError(message, "Give the data in the order the store was made from, or make another store")
        return MismatchError(f"the store {self._store.path} is of other data: row {row} is another sample", _SAME)

    def _check_labels(self) -> None:
        stored, labels = self._store.labels(), self._samples.labels
        if (stored < 0).all():
            return
        if labels is None and self._failed:
            raise MismatchError(f"the store {self._store.path} has labels, the data has none", _LABELS)
        if labels is None:
            return
        names = self._store.spec.data.get("class_names")
        if names and self._samples.class_names:
            check_classes(f"the store {self._store.path}", len(names), names, self._samples, _SAME)
        wrong = np.flatnonzero((labels != stored) & self._compared)
        if len(wrong):
            row = int(wrong[0])
            message = f"the data is the store's, but relabelled: row {row} has label {labels[row]} in the data"
            raise MismatchError(f"{message} and {stored[row]} in the store ({len(wrong)} such rows)", _SAME)


def check_data(store: Store, samples: Samples, *, every: bool, events: Events = SILENT) -> DataGuard:
    """Refuse data that is not the store's; the guard that is returned checks the other rows as they are read.

    Args:
        store: The store.
        samples: The data.
        every: Compare all identities now, else 1,024 spread over the rows.
        events: Who watches.

    Raises:
        UnsealedError: The store is not finished.
        MismatchError: Names the first row that differs, and how.
    """
    guard = DataGuard(store, samples)
    guard.check_start(every=every, events=events)
    return guard


def check_all_data(store: Store, samples: Samples, *, events: Events = SILENT) -> None:
    """Refuse data that differs from the store's in any identity or label, also of rows that failed.

    Raises:
        UnsealedError: The store is not finished.
        MismatchError: Names the first row that differs, and how.
    """
    DataGuard(store, samples, failed=True).check_start(every=True, events=events)


def tell_unproven(store: Store, names: Sequence[str], events: Events) -> None:
    """Say once what the seals of an earlier version cannot prove.

    Args:
        store: The store.
        names: Targets that are read.
        events: Is told.
    """
    old = [name for name in names if name in target_names(store.path) and store.record(name).samples is None]
    if old:
        events.info(
            f"{', '.join(old)} of {store.path} was sealed by an earlier version: no digest says "
            "that it belongs to the samples beside it; `teachonce verify --data D --teacher T` compares it with both"
        )


def require_labels(samples: Samples, why: str) -> NDArray[np.int32]:
    """The labels, int32 (rows,).

    Raises:
        DataError: The data has none.
    """
    if samples.labels is None or samples.classes is None:
        raise DataError(f"{why} needs labels, and the data has none", "Name the column of classes with --label-column")
    return samples.labels


def check_classes(
    who: str, classes: int | None, names: Sequence[str] | None, samples: Classes, mend: str = _LOGITS
) -> None:
    """Refuse data whose classes are not those of `who` (the teacher, the run), in the same order.

    Names are compared without regard to case, and `_` counts as a space; names that are whole numbers also with the
    numbers of data without names.

    Raises:
        MismatchError: Another number of classes, or the first class that differs.
    """
    if classes is not None and samples.classes is not None and classes != samples.classes:
        raise MismatchError(f"{who} has {classes} classes, the data has {samples.classes}", mend)
    for index, (theirs, ours) in enumerate(zip(names or (), samples.class_names or (), strict=False)):
        if plain(theirs) != plain(ours):
            message = (
                f"{who} has other classes than the data, or another order: class {index} is {theirs!r} and {ours!r}"
            )
            raise MismatchError(message, mend)
    if samples.class_names is None and (moved := out_of_order(names)) is not None:
        message = f"{who} has its classes in another order than numbers: class {moved} is {(names or ())[moved]!r}"
        raise MismatchError(f"{message}, and {moved} in the data", mend)


def labels_for(
    who: str, classes: int, names: Sequence[str] | None, samples: Samples, events: Events = SILENT
) -> NDArray[np.int32]:
    """The labels of test data in the numbers of `who` (the run, the training data), int32 (rows,); see `match_labels`.

    Raises:
        DataError: The data has no labels.
        MismatchError: It has rows of a class that `who` lacks.
    """
    labels = require_labels(samples, "evaluating")
    matched, remark = match_labels(labels, samples.class_names, who=who, classes=classes, known=names)
    if remark is not None:
        events.info(remark)
    return matched


def check_means(counts: NDArray[np.int64], labels: NDArray[np.int32], samples: Samples) -> None:
    """Refuse class means that are not of the data's classes, or lack one of a class that has rows.

    Args:
        counts: (C,) the rows that each mean was made from.
        labels: Those of rows that may be trained on.
        samples: The data.

    Raises:
        MismatchError: Another number of classes.
        DataError: A class has rows and no mean; the first of them are named.
    """
    if len(counts) != samples.classes:
        raise MismatchError(f"there are means of {len(counts)} classes, the data has {samples.classes}", _SAME)
    require_class_means(counts, labels[labels >= 0], samples.class_names)


def _check_kind(store: Store, samples: Samples) -> None:
    if store.spec.rows != samples.rows:
        rows = f"it has {store.spec.rows:,} rows, the data has {samples.rows:,}"
        raise MismatchError(f"the store {store.path} is of other data: {rows}", _SAME)
    if store.spec.identity != samples.identity:
        message = f"the store identifies rows by {store.spec.identity!r}, the data by {samples.identity!r}"
        raise MismatchError(message, "Open the data as the store was made (the same file format and --key-column)")

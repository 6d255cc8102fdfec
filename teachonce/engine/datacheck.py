"""Whether the data at hand is the data of the store: rows, identities, labels. A difference names its first row."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.store import Store
from teachonce.cache.targets import target_names
from teachonce.data.samples import Samples
from teachonce.engine.classes import check_classes
from teachonce.engine.rows import WORTH_TELLING
from teachonce.errors import MismatchError
from teachonce.events import SILENT, Events
from teachonce.types import DECODED

Rows = NDArray[np.int64]
Digests = NDArray[np.uint64]
SPREAD = 1024
_LABELS = "Name the column of labels that the store was made with (--label-column)"
_SAME = "Use the data, split and --limit the store was made from, or make another store with `teachonce embed`"


class DataCheck:
    """Compares rows of the data with the store's, each once.

    Args:
        store: The store; where its samples are not sealed, the rows of the blocks that are committed.
        samples: The data.
        failed: Whether rows that failed are compared, too: identities where there were bytes, and labels.

    Raises:
        MismatchError: Another number of rows, or another kind of identity.
        CorruptError: The store's identities or labels are not what was written.
    """

    def __init__(self, store: Store, samples: Samples, *, failed: bool = False) -> None:
        _check_kind(store, samples)
        self.store, self.samples, self._failed = store, samples, failed
        self._digests, self._labels, status = _stored(store)
        self._decoded = status == DECODED
        self._compared = status != 0 if failed else self._decoded
        self._unseen = self._compared & (self._digests != 0)

    @property
    def complete(self) -> bool:
        """Whether every row has been compared."""
        return not self._unseen.any()

    def check_start(self, *, every: bool, decoded: bool = False, events: Events = SILENT) -> None:
        """Compare identities: of every row, or of 1,024 spread ones; none that failed where `decoded` is said.

        Raises:
            MismatchError: Names the first row, and whether the data is another or reordered.
        """
        rows = np.flatnonzero(self._decoded if decoded else self._compared)
        rows = rows if every else spread(rows, SPREAD)
        watch = events if len(rows) > WORTH_TELLING else SILENT
        with watch.task("compare the data with the store", total=len(rows)) as task:
            for part in np.array_split(rows, max(1, len(rows) // 1024)):
                self.check(part)
                task.advance(len(part))

    def check(self, rows: Rows) -> None:
        """Compare the identities of those rows that were not compared before.

        Raises:
            MismatchError: See `check_start`.
        """
        rows = np.sort(rows[self._unseen[rows]])
        given = np.fromiter((self.samples.digest(int(row)) for row in rows), np.uint64, len(rows))
        refuse_other(self.store, rows, self._digests[rows], given, known=self._digests)
        self._unseen[rows] = False

    def check_labels(self) -> None:
        """Compare the labels of all rows, where the store and the data have some.

        Raises:
            MismatchError: Names the first row that differs, or class; or the data has none.
        """
        labels = self.samples.labels
        if (self._labels < 0).all():
            return
        if labels is None and self._failed:
            raise MismatchError(f"the store {self.store.path} has labels, the data has none", _LABELS)
        if labels is None:
            return
        names = self.store.spec.data.get("class_names")
        if names and self.samples.class_names:
            check_classes(f"the store {self.store.path}", len(names), names, self.samples, _SAME)
        wrong = np.flatnonzero((labels != self._labels) & self._compared)
        if len(wrong):
            row = int(wrong[0])
            message = f"the data is the store's, but relabelled: row {row} has label {labels[row]} in the data"
            raise MismatchError(f"{message} and {self._labels[row]} in the store ({len(wrong)} such rows)", _SAME)


def refuse_other(store: Store, rows: Rows, stored: Digests, given: Digests, *, known: Digests) -> None:
    """Refuse rows that are not those of the store.

    Args:
        store: The store.
        rows: (n,) the rows.
        stored: (n,) their identities in the store.
        given: (n,) their identities in the data.
        known: Identities in the store among which rows are looked for that are elsewhere.

    Raises:
        MismatchError: Names the first row that differs, and whether the data is another or reordered.
    """
    wrong = np.flatnonzero(stored != given)
    if not len(wrong):
        return
    row, first = int(rows[wrong[0]]), given[wrong[0]]
    if not np.isin(given[wrong], known).all():
        raise MismatchError(f"the store {store.path} is of other data: row {row} is another sample", _SAME)
    place = np.flatnonzero(known == first)
    where = f"row {place[0]} of the store" if len(known) == store.spec.rows else "another row of the store"
    message = f"the data is the store's, but reordered: row {row} of the data is {where}"
    raise MismatchError(message, "Give the data in the order the store was made from, or make another store")


def spread(rows: Rows, count: int) -> Rows:
    """At most so many of some rows, evenly spread, ascending."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64))]


def check_data(store: Store, samples: Samples, *, every: bool, events: Events = SILENT) -> DataCheck:
    """Refuse data that is not the store's; the check that is returned takes the other rows as they are read.

    Args:
        store: The store.
        samples: The data.
        every: Compare all identities now, else 1,024 spread over the rows.
        events: Who watches.

    Raises:
        UnsealedError: The samples are not sealed.
        MismatchError: Names the first row that differs, and how.
    """
    store.sample_status()  # says so where the samples are not sealed
    check = DataCheck(store, samples)
    check.check_start(every=every, events=events)
    check.check_labels()
    return check


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


def _check_kind(store: Store, samples: Samples) -> None:
    if store.spec.rows != samples.rows:
        rows = f"it has {store.spec.rows:,} rows, the data has {samples.rows:,}"
        raise MismatchError(f"the store {store.path} is of other data: {rows}", _SAME)
    if store.spec.identity != samples.identity:
        message = f"the store identifies rows by {store.spec.identity!r}, the data by {samples.identity!r}"
        raise MismatchError(message, "Open the data as the store was made (the same file format and --key-column)")


def _stored(store: Store) -> tuple[Digests, NDArray[np.int32], NDArray[np.uint8]]:
    """Identity, label and status of every row; of one that is not committed 0, -1 and 0."""
    if store.samples_sealed:
        return store.digests(), store.labels(), store.sample_status()
    rows, present = store.spec.rows, store.journal.present()
    chunks, grids = store.journal.chunks_of(present.values()), store.journal.named
    digests, labels, status = np.zeros(rows, np.uint64), np.full(rows, -1, np.int32), np.zeros(rows, np.uint8)
    for block in present:
        place = slice(*store.block_range(block))
        digests[place] = chunks.block(grids["digest"], block)
        labels[place] = chunks.block(grids["label"], block)
        status[place] = chunks.block(grids["status"], block)
    return digests, labels, status

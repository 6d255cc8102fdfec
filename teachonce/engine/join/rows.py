"""The rows of a store that have targets, and how a user's items are matched with them."""

from functools import cached_property

import numpy as np

from teachonce.cache import Store
from teachonce.engine.join.identities import Identified
from teachonce.engine.join.index import RowIndex, Rows, failure_reasons, usable_rows
from teachonce.engine.join.report import JoinReport
from teachonce.errors import FailedSamplesError


class StoreRows:
    """What a store knows of its rows; sorted by content when a row is first looked for.

    Args:
        store: A store whose samples are sealed.
        targets: Names of sealed targets.

    Attributes:
        digests: (N,) uint64, the identities of the rows.
        usable: (N,) bool, the rows that have values in every target.

    Raises:
        UnsealedError: The samples or a target are not complete.
        CorruptError: Bytes that are read are not what was sealed.
    """

    def __init__(self, store: Store, targets: tuple[str, ...]) -> None:
        self._store, self._targets = store, targets
        self.digests, self.usable = store.digests(), usable_rows(store, targets)

    @cached_property
    def _index(self) -> RowIndex:
        return RowIndex(self._store, self.usable)

    def match(self, found: Identified) -> tuple[Rows, JoinReport]:
        """The row of each item, int64 (n,), -1 where the store has none; and what did not fit.

        Raises:
            MismatchError: An item's key is that of several rows.
        """
        rows = self._index.find(found.digests, found.name)
        failed = np.flatnonzero((rows >= 0) & ~self.usable[rows])
        reasons = failure_reasons(self._store, self._targets) if len(failed) else {}
        report = JoinReport(
            store=str(self._store.path),
            items=len(rows),
            missing=np.flatnonzero(rows < 0),
            failed={item: reasons.get(int(rows[item]), "failed") for item in failed.tolist()},
            repeated=np.setdiff1d(np.flatnonzero(rows >= 0), np.unique(rows, return_index=True)[1]),
            copies=self._index.copies,
            unused=self._index.unused(found.digests),
            name=found.name,
        )
        return rows, report

    def refuse_failed(self, rows: Rows) -> None:
        """Refuse rows without targets.

        Raises:
            FailedSamplesError: Names the first, and why it has none.
        """
        usable = self.usable[rows]
        if not usable.all():
            row = int(rows[~usable][0])
            reason = failure_reasons(self._store, self._targets).get(row, "failed")
            raise FailedSamplesError(
                f"row {row} of {self._store.path} failed when the teacher ran ({reason}): it has no targets",
                "Leave it out, as teacher.dataset(..., missing='drop') does",
            )

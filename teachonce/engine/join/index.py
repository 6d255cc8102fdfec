"""From the identity of a sample to its row in the store."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from teachonce.cache import Store
from teachonce.engine.cached_target import has_targets
from teachonce.engine.failed import failed_rows
from teachonce.errors import MismatchError
from teachonce.types import DECODED

Digests = NDArray[np.uint64]
Rows = NDArray[np.int64]


class RowIndex:
    """Finds rows by content. Of rows that hold the same bytes it takes the first that did not fail.

    Each row's targets belong to the views of that row, also where views are drawn at random, so any of those rows is
    right; always taking the same one makes the join depend on nothing but the content. Rows of the same key (identity
    `key`) may hold other bytes: those are refused.

    Args:
        store: A store whose samples are sealed.
        usable: (N,) bool, the rows that have targets.

    Attributes:
        copies: The rows that are not taken, because another one holds the same bytes; int64, ascending.
    """

    def __init__(self, store: Store, usable: NDArray[np.bool_]) -> None:
        self._store, digests = store, store.digests()
        order = np.lexsort((~usable, digests))  # stable: equal ones stay in the order of their rows
        order = order[digests[order] != 0]  # 0: the bytes were missing
        ordered = digests[order]
        first = np.flatnonzero(np.diff(ordered, prepend=~ordered[:1]) != 0)
        self._digests, self._rows = ordered[first], order[first]
        self._alike = np.diff(np.append(first, len(ordered)))  # how many rows have each content
        self.copies: Rows = np.sort(np.delete(order, first))

    def find(self, digests: Digests, name: Callable[[int], str]) -> Rows:
        """The row of each identity, int64 (n,); -1 where the store has none.

        Args:
            digests: uint64 (n,), 0 where there are no bytes.
            name: What to call the i-th of them in an error.

        Raises:
            MismatchError: Several rows of the store have the same key.
        """
        if not len(self._digests):
            return np.full(len(digests), -1, np.int64)
        place = np.searchsorted(self._digests, digests).clip(max=len(self._digests) - 1)
        found = self._digests[place] == digests
        if self._store.spec.identity == "key":
            self._refuse_ambiguous(np.flatnonzero(found & (self._alike[place] > 1)), digests, name)
        return np.where(found, self._rows[place], -1)

    def _refuse_ambiguous(self, wrong: Rows, digests: Digests, name: Callable[[int], str]) -> None:
        if not len(wrong):
            return
        rows = np.flatnonzero(self._store.digests() == digests[wrong[0]])
        raise MismatchError(
            f"{len(wrong)} keys belong to several rows of {self._store.path}, which may be different samples: "
            f"{name(int(wrong[0]))} is of rows {', '.join(map(str, rows[:5]))}",
            "Make the store with keys that are unique, or without --key-column",
        )

    def unused(self, digests: Digests) -> Rows:
        """The rows of the store whose content none of the identities has, ascending."""
        return np.flatnonzero(~np.isin(self._store.digests(), digests))


def usable_rows(store: Store, targets: Sequence[str]) -> NDArray[np.bool_]:
    """The rows that have values in every one of these targets, (N,).

    Raises:
        UnsealedError: The samples or a target are not complete.
        CorruptError: Bytes that are read are not what was sealed.
    """
    usable: NDArray[np.bool_] = store.sample_status() == DECODED
    for name in targets:
        usable &= has_targets(store, name)
    return usable


def failure_reasons(store: Store, targets: Sequence[str]) -> dict[int, str]:
    """Row -> why it has no values in one of these targets."""
    records = [store.record(name) for name in targets]
    reasons: dict[int, str] = {}
    for journal, seal in (*((record.journal, record.seal) for record in records), (store.journal, store.samples_seal)):
        reasons |= failed_rows(journal, seal)
    return reasons

"""The sample blocks that a store already holds, and whether the data at hand is the data they were made from."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.identity import first_difference, short
from teachonce.cache.store import Store
from teachonce.data.samples import Samples
from teachonce.engine.datacheck import DataCheck, spread
from teachonce.engine.stage_one.contents import data_attributes
from teachonce.errors import MismatchError
from teachonce.events import Events

_SAME = "Use the data, split and --limit the store was made from, or another --store"
_SECONDS = 5.0  # all identities are compared where that takes no longer


@dataclass(frozen=True, kw_only=True)
class StoredBlock:
    """A committed block of samples."""

    store: Store
    digest: NDArray[np.uint64]
    """(n,)"""
    params: NDArray[np.float32]
    """(n, views, 6), NaN in failed rows."""
    failed: Mapping[int, str]
    """Row -> reason code."""


def stored_block(store: Store, block: int) -> StoredBlock | None:
    """A committed block of samples; None where it is not committed.

    Raises:
        CorruptError: A chunk of it is not what was committed.
    """
    record = store.journal.valid(block)
    if record is None:
        return None
    chunks, grids = store.journal.chunks_of([record]), store.journal.named
    params = [chunks.block(grids["params"], block, view) for view in range(store.spec.views)]
    return StoredBlock(
        store=store,
        digest=chunks.block(grids["digest"], block),
        params=np.stack(params, axis=1),
        failed=dict(record.failed),
    )


def check_attributes(check: DataCheck) -> None:
    """Refuse data that differs from the store's in what both say about themselves.

    Raises:
        MismatchError: Another number of rows, another identity, other classes, or labels; names the first row.
    """
    store, samples = check.store, check.samples
    if (store.spec.data.get("labels") is None) != (samples.labels is None):
        there, here = ("labels", "none") if samples.labels is None else ("no labels", "some")
        raise MismatchError(
            f"{store.path} was made from data with {there}, this data has {here}", f"{_SAME}, and check --label-column"
        )
    given = data_attributes(samples)
    _refuse(store, "class names", store.spec.data.get("class_names"), given["class_names"])
    check.check_labels()
    _refuse(store, "set of labels", store.spec.data.get("labels"), given["labels"])


def _refuse(store: Store, name: str, stored: object, given: object) -> None:
    if isinstance(stored, list) and isinstance(given, list):
        stored, given = dict(enumerate(stored)), dict(enumerate(given))
    found = first_difference(stored, given, name)
    if found:
        raise MismatchError(
            f"{store.path} was made from another {found[0]}: expected {short(found[1])}, got {short(found[2])}",
            _SAME,
        )


def check_digests(check: DataCheck, events: Events) -> None:
    """Compare identities of what is committed: all where that takes seconds, else 1,024 spread ones.

    Raises:
        MismatchError: Names the first row that differs.
    """
    every = _seconds(check.samples) <= _SECONDS
    check.check_start(every=every, decoded=check.store.samples_sealed, events=events)


def _seconds(samples: Samples) -> float:
    """About how long the identities of all rows take."""
    probe = spread(np.arange(samples.rows), 32)
    start = time.perf_counter()
    for row in probe:
        samples.digest(int(row))
    return (time.perf_counter() - start) / len(probe) * samples.rows

"""The sample blocks that a store already holds, and whether the data at hand is the data they were made from."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.identity import first_difference, short
from teachonce.cache.journal import Record
from teachonce.cache.store import Store
from teachonce.data.samples import Samples
from teachonce.engine.guard import check_data
from teachonce.engine.stage_one.contents import data_attributes
from teachonce.errors import MismatchError
from teachonce.events import Events

_SAME = "Use the data, split and --limit the store was made from, or another --store"
_SPREAD = 1024
_SECONDS = 5.0  # all identities are compared where that takes no longer


@dataclass(frozen=True, kw_only=True)
class StoredBlock:
    """A committed block of samples."""

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
    chunks, grids = store.journal.chunks_of([record]), {grid.name: grid for grid in store.journal.grids}
    params = [chunks.block(grids["params"], block, view) for view in range(store.spec.views)]
    return StoredBlock(
        digest=chunks.block(grids["digest"], block),
        params=np.stack(params, axis=1),
        failed=dict(record.failed),
    )


def compare_digests(stored: NDArray[np.uint64], given: NDArray[np.uint64], rows: NDArray[np.int64]) -> None:
    """Refuse rows that are not those of the store.

    Args:
        stored: (n,) the identities in the store.
        given: (n,) those of the data.
        rows: (n,) the rows of the dataset.

    Raises:
        MismatchError: Names the first row that differs.
    """
    wrong = np.flatnonzero(stored != given)
    if not len(wrong):
        return
    row = int(rows[wrong[0]])
    reordered = bool(np.isin(given[wrong], stored).all())
    how = "the samples are in another order" if reordered else "it is another sample"
    raise MismatchError(f"the data is not the store's: row {row} differs, {how}", _SAME)


def check_attributes(store: Store, samples: Samples) -> None:
    """Refuse data that differs from the store's in what both say about themselves.

    Raises:
        MismatchError: Another number of rows, another identity, other classes, or labels; names the first row.
    """
    if (store.spec.data.get("labels") is None) != (samples.labels is None):
        there, here = ("labels", "none") if samples.labels is None else ("no labels", "some")
        raise MismatchError(
            f"{store.path} was made from data with {there}, this data has {here}", f"{_SAME}, and check --label-column"
        )
    pairs = {
        "number of rows": (store.spec.rows, samples.rows),
        "identity of rows": (store.spec.identity, samples.identity),
        "class names": (store.spec.data.get("class_names"), data_attributes(samples)["class_names"]),
    }
    for name, (stored, given) in pairs.items():
        _refuse(store, name, stored, given)
    for record in store.journal.present().values():
        _check_labels(store, samples, record)
    _refuse(store, "set of labels", store.spec.data.get("labels"), data_attributes(samples)["labels"])


def _refuse(store: Store, name: str, stored: object, given: object) -> None:
    if isinstance(stored, list) and isinstance(given, list):
        stored, given = dict(enumerate(stored)), dict(enumerate(given))
    found = first_difference(stored, given, name)
    if found:
        raise MismatchError(
            f"{store.path} was made from another {found[0]}: expected {short(found[1])}, got {short(found[2])}",
            _SAME,
        )


def _check_labels(store: Store, samples: Samples, record: Record) -> None:
    start, stop = store.block_range(record.block)
    grid = next(grid for grid in store.journal.grids if grid.name == "label")
    stored = store.journal.chunks_of([record]).block(grid, record.block)
    given = np.full(stop - start, -1, np.int32) if samples.labels is None else samples.labels[start:stop]
    wrong = np.flatnonzero(stored != given)
    if len(wrong):
        row = int(wrong[0])
        raise MismatchError(
            f"the data is relabelled: row {start + row} has label {given[row]}, in {store.path} it has {stored[row]}",
            _SAME,
        )


def check_digests(store: Store, samples: Samples, events: Events) -> None:
    """Compare identities of what is committed: all where that takes seconds, else 1,024 spread ones.

    Raises:
        MismatchError: Names the first row that differs.
    """
    every = _seconds(samples) <= _SECONDS
    if store.samples_sealed:
        check_data(store, samples, every=every, events=events)
        return
    grid = next(grid for grid in store.journal.grids if grid.name == "digest")
    present = store.journal.present()
    if not present:
        return
    chunks = store.journal.chunks_of(present.values())
    rows = np.concatenate([np.arange(*store.block_range(block)) for block in present])
    stored = np.concatenate([chunks.block(grid, block) for block in present])
    chosen = np.arange(len(rows)) if every else _spread(len(rows), _SPREAD)
    given = np.fromiter((samples.digest(int(row)) for row in rows[chosen]), np.uint64, len(chosen))
    compare_digests(stored[chosen], given, rows[chosen])


def _seconds(samples: Samples) -> float:
    """About how long the identities of all rows take."""
    probe = _spread(samples.rows, 32)
    start = time.perf_counter()
    for row in probe:
        samples.digest(int(row))
    return (time.perf_counter() - start) / len(probe) * samples.rows


def _spread(rows: int, count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, rows - 1, min(count, rows)).astype(np.int64))

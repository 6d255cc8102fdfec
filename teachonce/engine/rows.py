"""Which rows train, which validate, and which are left out."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from teachonce.data.samples import Samples
from teachonce.engine.split import split_rows
from teachonce.errors import DataError, InputError
from teachonce.events import SILENT, Events

Rows = NDArray[np.int64]
WORTH_TELLING = 20_000  # rows whose identities take long enough to show progress


@dataclass(frozen=True, kw_only=True)
class Division:
    """Rows of the data, ascending."""

    train: Rows
    val: Rows
    left_out: int
    """Rows that could not be decoded, or have no label."""


def divide(
    digests: NDArray[np.uint64], usable: NDArray[np.bool_], *, seed: int, fraction: float, batch_size: int
) -> Division:
    """Split by hash over all rows, then leave out what cannot be used: so its absence moves no other row.

    Raises:
        DataError: Nothing is left to train on.
        InputError: A batch is larger than what is left.
    """
    train, val = (part[usable[part]] for part in split_rows(digests, seed, fraction))
    if not len(train):
        mend = "Use more data, or a smaller --val-fraction"
        raise DataError(f"no rows are left to train on: {len(digests)} in all, {len(val)} for validation", mend)
    if batch_size > len(train):
        mend = f"Use --batch-size {len(train)} or less"
        raise InputError(f"the batch size is {batch_size}, but only {len(train)} rows train", mend)
    return Division(train=train, val=val, left_out=int((~usable).sum()))


def all_digests(samples: Samples, events: Events = SILENT) -> NDArray[np.uint64]:
    """The identity of every row, uint64 (rows,)."""
    parts = np.array_split(np.arange(samples.rows), max(1, samples.rows // 1024))
    digests: list[NDArray[np.uint64]] = []
    watch = events if samples.rows > WORTH_TELLING else SILENT
    with ThreadPoolExecutor() as pool, watch.task("identify the rows", total=samples.rows) as task:
        for done in pool.map(partial(_digests, samples), parts):
            digests.append(done)
            task.advance(len(done))
    return np.concatenate(digests)


def _digests(samples: Samples, rows: Rows) -> NDArray[np.uint64]:
    return np.fromiter((samples.digest(row) for row in rows.tolist()), np.uint64, len(rows))

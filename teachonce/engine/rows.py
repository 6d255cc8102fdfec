"""Which rows train, which validate, and which are left out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachonce.data.samples import Samples
from teachonce.digests import digest_hex
from teachonce.engine.split import split_rows
from teachonce.errors import DataError, InputError
from teachonce.events import SILENT, Events

Rows = NDArray[np.int64]


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
        raise DataError(f"no rows are left to train on: {len(digests)} in all, {len(val)} validate", mend)
    if batch_size > len(train):
        mend = f"Use --batch-size {len(train)} or less"
        raise InputError(f"the batch size is {batch_size}, but only {len(train)} rows train", mend)
    return Division(train=train, val=val, left_out=int((~usable).sum()))


def all_digests(samples: Samples, events: Events = SILENT) -> NDArray[np.uint64]:
    """The identity of every row, uint64 (rows,)."""
    digests = np.empty(samples.rows, np.uint64)
    with events.task("identify the rows", total=samples.rows) as task:
        for part in np.array_split(np.arange(samples.rows), max(1, samples.rows // 1024)):
            digests[part] = [samples.digest(int(row)) for row in part]
            task.advance(len(part))
    return digests


def digest_of(digests: NDArray[np.uint64]) -> str:
    """One digest over the identities of all rows, in order."""
    return digest_hex(np.ascontiguousarray(digests, "<u8").tobytes())

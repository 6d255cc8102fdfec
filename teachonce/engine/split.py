"""One split for everybody: which rows validate is decided by a hash of (digest, seed), never by their order."""

import numpy as np
from numpy.typing import NDArray

from teachonce.errors import InputError

Rows = NDArray[np.int64]
_MASK = (1 << 64) - 1


def mix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014), elementwise; any shape, uint64 in and out."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def split_rows(digests: NDArray[np.uint64], seed: int, fraction: float) -> tuple[Rows, Rows]:
    """Split rows into train and validation by hash, so that equal samples always fall on the same side.

    A row keeps its side when rows are added, removed or reordered. A fraction above 0 gives at least one row to
    validate, as long as there are two different samples.

    Args:
        digests: (N,) uint64, the identity of each row.
        seed: Any integer.
        fraction: The share that validates, at least 0 and below 1.

    Returns:
        (train, validation), each int64 and ascending.

    Raises:
        InputError: The fraction is outside its range.
    """
    if not 0.0 <= fraction < 1.0:
        raise InputError(
            f"the validation fraction must be at least 0 and below 1, got {fraction}", "Use 0.1, for example"
        )
    if not fraction or not len(digests):
        return np.arange(len(digests), dtype=np.int64), np.empty(0, np.int64)
    key = mix64(np.array([seed & _MASK], np.uint64))
    hashed = mix64(np.asarray(digests, np.uint64) ^ key)
    validates = (hashed >> np.uint64(11)) * 2.0**-53 < fraction
    if not validates.any() and (hashed != hashed[0]).any():
        validates = hashed == hashed.min()
    return np.flatnonzero(~validates), np.flatnonzero(validates)


def shuffled(rows: Rows, seed: int, epoch: int) -> Rows:
    """The rows in the order of one epoch, from (seed, epoch) alone, so a resumed run needs no history."""
    generator = np.random.Generator(np.random.Philox(key=np.array([seed & _MASK, epoch], np.uint64)))
    return generator.permutation(rows)

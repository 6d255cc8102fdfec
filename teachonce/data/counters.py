"""Random numbers from counters: the same for a row in whatever order, company or process it is asked for."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_MASK = np.uint64(0xFFFFFFFF)
Words = NDArray[np.uint64]


def philox(seed: int, row: Words, view: Words, draw: int) -> Words:
    """Four words of 32 bits, uint64 (4, n), from the counters (row, view, draw) and the key `seed`.

    Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), over all counters at once.
    """
    words = [row & _MASK, row >> np.uint64(32), view & _MASK, np.full_like(row, draw)]
    for key0, key1 in _round_keys(seed):
        product0, product1 = words[0] * np.uint64(0xD2511F53), words[2] * np.uint64(0xCD9E8D57)
        high0, high1 = product0 >> np.uint64(32), product1 >> np.uint64(32)
        words = [high1 ^ words[1] ^ key0, product1 & _MASK, high0 ^ words[3] ^ key1, product0 & _MASK]
    return np.stack(words)


def row_words(seed: int, rows: Words, views: range, draw: int) -> Words:
    """The words of each row's counters one after the other, uint64 (n, 4 * len(views)), each below 2^32."""
    view = np.tile(np.arange(views.start, views.stop, dtype=np.uint64), len(rows))
    return philox(seed, np.repeat(rows, len(views)), view, draw).T.reshape(len(rows), -1)


def _round_keys(seed: int) -> Iterator[tuple[np.uint64, np.uint64]]:
    low, high = seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF
    for _ in range(10):
        yield np.uint64(low), np.uint64(high)
        low, high = (low + 0x9E3779B9) & 0xFFFFFFFF, (high + 0xBB67AE85) & 0xFFFFFFFF

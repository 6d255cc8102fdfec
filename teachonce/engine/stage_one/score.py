"""What the stored logits say about the labels: the first sign of a teacher that sees other images or classes."""

import math

import numpy as np
from numpy.typing import NDArray

from teachonce.cache import Store, from_stored
from teachonce.types import DECODED

_ROUNDING = 0.01


def teacher_top1(store: Store, name: str, labels: NDArray[np.int32]) -> tuple[float, int] | None:
    """The top-1 accuracy of a target's logits on view 0, and over how many rows.

    Args:
        store: The store.
        name: A sealed target with logits.
        labels: int32 (rows,), -1 where there is none.

    Returns:
        A share from 0 to 1, and the rows that are labelled and did not fail; None where there is no such row.
    """
    record = store.sealed(name)
    chunks, grids = record.chunks, record.journal.named
    dtype = grids["logits"].dtype
    right = count = 0
    for block in range(store.blocks):
        truth = labels[slice(*store.block_range(block))]
        usable = (chunks.block(grids["status"], block) == DECODED) & (truth >= 0)
        logits = from_stored(chunks.block(grids["logits"], block)[usable], dtype)
        right += int((logits.argmax(axis=1) == truth[usable]).sum())
        count += len(logits)
    return (right / count, count) if count else None


def first_logits(store: Store, name: str) -> NDArray[np.float32]:
    """The logits of view 0 in the first block of a sealed target, float32 (n, classes), without failed rows."""
    record = store.sealed(name)
    grids = record.journal.named
    usable = record.chunks.block(grids["status"], 0) == DECODED
    return from_stored(record.chunks.block(grids["logits"], 0)[usable], grids["logits"].dtype)


def are_probabilities(values: NDArray[np.float32]) -> bool:
    """Whether each row (n, classes) is a distribution: nothing below 0, the sum 1 but for the rounding of half floats.

    Logarithms of probabilities are logits as good as any: their softmax is the same, at every temperature.
    """
    return len(values) > 1 and bool((values >= 0).all() and (np.abs(values.sum(1) - 1) < _ROUNDING).all())


def is_near_chance(share: float, rows: int, classes: int) -> bool:
    """Whether an accuracy is within two standard errors of guessing among `classes`, or below it."""
    chance = 1 / classes
    return share <= chance + 2 * math.sqrt(chance * (1 - chance) / rows)

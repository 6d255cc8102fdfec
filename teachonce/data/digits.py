"""The built-in data: scikit-learn's 1,797 scans of handwritten digits, 8 x 8 pixels, in a fixed split."""

import numpy as np

from teachonce.data.samples import ArraySamples
from teachonce.errors import DataError

SPLITS = ("train", "test", "all")
_EVERY = 5  # each fifth row is a test row


def load_digits(split: str = "train", limit: int | None = None) -> ArraySamples:
    """The digits as RGB images, in the source's order: 1,437 rows of `train`, 360 of `test`, or `all` 1,797.

    Raises:
        DataError: No such split.
    """
    from sklearn.datasets import load_digits as load

    if split not in SPLITS:
        raise DataError(f"digits has the splits {', '.join(SPLITS)}, got {split!r}", "Use one of these with --split")
    source = load()
    held_out = np.arange(len(source.images)) % _EVERY == 0
    rows = np.flatnonzero({"train": ~held_out, "test": held_out, "all": np.ones_like(held_out)}[split])[:limit]
    grey = np.rint(source.images[rows] * (255 / 16)).astype(np.uint8)
    names = [str(digit) for digit in range(10)]
    description = {"source": "digits", "split": split, "rows": len(grey)}
    return ArraySamples(np.repeat(grey[..., None], 3, axis=3), source.target[rows], names, description)

"""The built-in data: scikit-learn's 1,797 scans of handwritten digits, 8 x 8 pixels, in a fixed split."""

import functools
from importlib.util import find_spec
from pathlib import Path

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
    if split not in SPLITS:
        raise DataError(f"digits has the splits {', '.join(SPLITS)}, got {split!r}", "Use one of these with --split")
    pixels, classes = _read()
    held_out = np.arange(len(pixels)) % _EVERY == 0
    rows = np.flatnonzero({"train": ~held_out, "test": held_out, "all": np.ones_like(held_out)}[split])[:limit]
    grey = np.rint(pixels[rows] * (255 / 16)).astype(np.uint8)
    names = [str(digit) for digit in range(10)]
    description = {"source": "digits", "split": split, "rows": len(grey)}
    return ArraySamples(np.repeat(grey[..., None], 3, axis=3), classes[rows], names, description)


@functools.cache
def _read() -> tuple[np.ndarray, np.ndarray]:
    """Pixels, float64 (1797, 8, 8) from 0 to 16, and classes, int64 (1797,).

    From scikit-learn's file: its import takes longer than that of torch.
    """
    found = find_spec("sklearn")
    for folder in () if found is None else found.submodule_search_locations or ():
        file = Path(folder, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            table = np.loadtxt(file, delimiter=",")
            return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits as load  # a version that has it elsewhere

    source = load()
    return source.images, source.target

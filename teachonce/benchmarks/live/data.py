"""The data that arms read: named, so that every process can open it for itself."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from teachonce.data.open import open_samples
from teachonce.data.samples import ArraySamples, Samples
from teachonce.data.spec import whole_options
from teachonce.errors import InputError

RANDOM = "random"
_DEFAULTS = {"rows": 512, "size": 32, "classes": 100, "seed": 0}


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """Which data, and which rows of it."""

    data: str
    """A spec of `open_samples`, or `random:rows=512,size=32,classes=100,seed=0`: noise, made in memory."""
    split: str | None = None
    limit: int | None = None
    """The first so many rows; None: all."""
    image_column: str | None = None
    label_column: str | None = None
    key_column: str | None = None

    @property
    def is_random(self) -> bool:
        """Whether the images are noise."""
        return self.data.partition(":")[0] == RANDOM

    def open(self) -> Samples:
        """The samples.

        Raises:
            InputError: A limit or an option that cannot be used.
            DataError: The dataset cannot be used.
        """
        if self.is_random:
            return random_samples(self.data, self.limit)
        return open_samples(
            self.data,
            split=self.split,
            image_column=self.image_column,
            label_column=self.label_column,
            key_column=self.key_column,
            limit=self.limit,
        )


def random_samples(spec: str, limit: int | None = None) -> ArraySamples:
    """Images of uniform noise, uint8 (rows, size, size, 3), with labels 0, 1, ..., classes - 1, 0, 1, ...

    Args:
        spec: `random:rows=512,size=32,classes=100,seed=0`; each option may be left out.
        limit: The first so many rows.

    Raises:
        InputError: An unknown option, or a number that cannot be.
    """
    options = _options(spec)
    rows = min(options["rows"], limit or options["rows"])
    shape = (rows, options["size"], options["size"], 3)
    images = np.random.default_rng(options["seed"]).integers(0, 256, shape, np.uint8)
    description: dict[str, Any] = {"source": f"{RANDOM} images", **options, "rows": rows}
    labels = np.arange(rows) % options["classes"]
    names = [f"class {index}" for index in range(options["classes"])]
    return ArraySamples(images, labels, names, description)


def _options(spec: str) -> dict[str, int]:
    options = whole_options(RANDOM, spec.partition(":")[2], _DEFAULTS)
    if min(options["rows"], options["size"], options["classes"]) < 1:
        raise InputError(f"{spec!r}: rows, size and classes must be at least 1", "Give larger numbers")
    return options

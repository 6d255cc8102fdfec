"""Datasets whose files need not be pointed out: torchvision's folders, and those of `datasets`."""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from torch.utils.data import Subset

from teachonce.data.arrow import ArrowSamples
from teachonce.data.columns import image_column
from teachonce.digests import digest_bytes
from teachonce.engine.join.hashing import File
from teachonce.engine.join.report import Numbers
from teachonce.engine.join.values import as_rows, inside
from teachonce.errors import DataError, InputError

_FOLDER = "torchvision.datasets.folder"

Files = list[File] | Callable[[Any, int], File]


def find_files(dataset: Any) -> Files | None:
    """Where the files of a dataset's items are; None where that is not known, or not the only possibility.

    Known are torchvision's `ImageFolder` and `DatasetFolder`, a `datasets.Dataset` with one column of images, whose
    bytes are read as they are, and torch's `Subset` of these. A subclass is known by the class whose `__getitem__` it
    has: with one of its own its items may be in any order, or of anything.

    Raises:
        InputError: A `Subset` asks for an item that there is not.
    """
    origin = _origin(dataset)
    if origin == _FOLDER:
        samples = dataset.samples
        return [pair[0] for pair in samples] if len(samples) == len(dataset) else None
    if origin == Subset.__module__ and isinstance(dataset, Subset):
        return _subset(find_files(dataset.dataset), dataset)
    datasets = sys.modules.get("datasets")  # who has such a dataset has imported it
    if datasets is not None and isinstance(dataset, datasets.Dataset) and origin == datasets.Dataset.__module__:
        with suppress(DataError):  # no column of images, or several
            return _arrow_files(dataset, image_column(dataset.features, None))
    return None


def marks(dataset: Any, items: Sequence[int] | Numbers) -> Numbers:
    """What items of a known dataset are of, int64 (n,): 31 bits of a path's digest, or of a row's number in its table.

    Two of them that differ tell that the dataset was shuffled, or a `Subset` given other indices; they do not tell
    what became of the files.

    Raises:
        IndexError: It no longer has that many.
    """
    while isinstance(dataset, Subset):
        dataset, items = dataset.dataset, [int(dataset.indices[item]) for item in items]
    if _origin(dataset) == _FOLDER:
        items = [digest_bytes(os.fsencode(dataset.samples[item][0])) for item in items]
    return np.array([int(item) % 2**31 for item in items], np.int64)


def gives_batches(dataset: Any) -> bool:
    """Whether `__getitems__` belongs to the `__getitem__`: no class nearer than the one that has it has the other.

    What an instance passes on to another dataset (`__getattr__`) is of that dataset's order; a `Subset` asks its own.
    """
    if isinstance(dataset, Subset) and not gives_batches(dataset.dataset):
        return False
    ways = {"__getitem__", "__getitems__"}
    nearest = next((kind for kind in type(dataset).__mro__ if ways & vars(kind).keys()), type(dataset))
    return "__getitems__" in vars(nearest)


def _origin(dataset: Any) -> str | None:
    """The module of the class that says what item i is; None where it is not one class alone."""
    ways = ("__getitem__", "__getitems__")
    found = [next((kind for kind in type(dataset).__mro__ if way in vars(kind)), None) for way in ways]
    kinds = {kind for kind in found if kind is not None}
    return kinds.pop().__module__ if len(kinds) == 1 else None


def _subset(files: Files | None, subset: Any) -> Files | None:
    if files is None:
        return None
    try:
        indices = inside(as_rows(subset.indices, "item"), len(subset.dataset)).tolist()
    except IndexError as error:
        raise InputError(f"a Subset has indices outside its dataset: {error}", "Correct its indices") from error
    if isinstance(files, list):
        return [files[i] for i in indices]
    return lambda _, i: files(subset.dataset, indices[i])


def _arrow_files(dataset: Any, column: str) -> Callable[[Any, int], File]:
    """The bytes of the images where the table holds them, else their paths; a selection or shuffle is followed."""
    from datasets import Image

    rows = None if dataset._indices is None else dataset._indices.column(0).to_numpy()
    plain = dataset.with_format(None).select_columns([column]).cast_column(column, Image(decode=False))
    samples = ArrowSamples(plain, column, description={})
    return lambda _, i: samples.file(i if rows is None else int(rows[i]))

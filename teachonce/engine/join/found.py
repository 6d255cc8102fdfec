"""Datasets whose files need not be pointed out: torchvision's folders, and those of `datasets`."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from torch.utils.data import Subset

from teachonce.data.arrow import ArrowSamples
from teachonce.data.columns import image_column
from teachonce.engine.join.hashing import File
from teachonce.errors import DataError

Files = list[File] | Callable[[Any, int], File]


def find_files(dataset: Any) -> Files | None:
    """Where the files of a dataset's items are; None where that is not known, or not the only possibility.

    Known are torchvision's `ImageFolder` and `DatasetFolder`, a `datasets.Dataset` with one column of images, whose
    bytes are read as they are, and torch's `Subset` of these. A subclass is known by the class whose `__getitem__` it
    has: with one of its own its items may be in any order, or of anything.
    """
    origin = _origin(dataset)
    if origin == "torchvision.datasets.folder":
        samples = dataset.samples
        return [pair[0] for pair in samples] if len(samples) == len(dataset) else None
    if origin == Subset.__module__ and isinstance(dataset, Subset):
        return _subset(find_files(dataset.dataset), dataset)
    datasets = sys.modules.get("datasets")  # who has such a dataset has imported it
    if datasets is not None and isinstance(dataset, datasets.Dataset) and origin == datasets.Dataset.__module__:
        with suppress(DataError):  # no column of images, or several
            return _arrow_files(dataset, image_column(dataset.features, None))
    return None


def _origin(dataset: Any) -> str | None:
    """The module of the class that says what item i is; None where it is not one class alone."""
    ways = ("__getitem__", "__getitems__")
    found = [next((kind for kind in type(dataset).__mro__ if way in vars(kind)), None) for way in ways]
    kinds = {kind for kind in found if kind is not None}
    return kinds.pop().__module__ if len(kinds) == 1 else None


def _subset(files: Files | None, subset: Any) -> Files | None:
    if files is None:
        return None
    if isinstance(files, list):
        return [files[int(i)] for i in subset.indices]
    return lambda _, i: files(subset.dataset, int(subset.indices[i]))


def _arrow_files(dataset: Any, column: str) -> Callable[[Any, int], File]:
    """The bytes of the images where the table holds them, else their paths; a selection or shuffle is followed."""
    from datasets import Image

    rows = None if dataset._indices is None else dataset._indices.column(0).to_numpy()
    plain = dataset.with_format(None).select_columns([column]).cast_column(column, Image(decode=False))
    samples = ArrowSamples(plain, column, description={})
    return lambda _, i: samples.file(i if rows is None else int(rows[i]))

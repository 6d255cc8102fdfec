"""Folders of images as datasets: every image file is a row; splits and classes are folders, never words in file names.

Splits: see `splits`. Below them, and below folders that hold everything, the class of an image is the folder it lies
in, where all images lie equally deep; else the first folder on its way. An image beside the folders of classes has no
label; one class alone gives no labels, unless the column `label` is named. Classes are those of all splits, in the
order of their names as text; rows are in the order of their paths as text. A `metadata.csv`, `.jsonl` or `.parquet`
with a column `file_name` gives rows and columns instead (see `metadata`).

What is left out is told by number and name: files that no image is called like, hidden ones, links to nothing, images
beside the folders of splits or in no row of a metadata file.
"""

import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from teachonce.data.columns import LABEL_NAMES
from teachonce.data.labels import lookalikes
from teachonce.data.metadata import is_metadata, read_metadata
from teachonce.data.splits import Parts, Splits, find_splits, names_split
from teachonce.data.walk import Walk, listed, parts_of, shown, walk
from teachonce.errors import DataError
from teachonce.events import Events

_WHOLE = "train"
"""The split of a folder without splits."""
_HEADERS_ONLY = frozenset({".h5", ".hdf", ".bufr", ".grib", ".mpg", ".mpeg"})  # PIL knows them and decodes none


@dataclass(frozen=True, kw_only=True)
class ImageFolder:
    """The images below a folder."""

    found: Walk
    images: Sequence[str]
    others: Sequence[str]
    """Files that are no images by their names."""
    splits: Splits | None
    classes: Mapping[Parts, str]
    """Folders -> class, of those that are of one."""
    remarks: Sequence[str]
    """How folders were read, where it may be meant otherwise."""

    @property
    def names(self) -> list[str]:
        """The splits, each once."""
        return [_WHOLE] if self.splits is None else sorted(set(self.splits.names.values()))

    def split_of(self, path: str) -> str | None:
        """The split of an image; None where it lies beside the folders of splits."""
        return _WHOLE if self.splits is None else self.splits.of(_folders(path))

    def dataset(self, split: str, events: Events, *, labelled: bool = False) -> Any:
        """The images of a split as a `datasets.Dataset`: `image`, and `label` where there are classes.

        Args:
            split: One of `names`.
            events: Is told what is left out, and how folders were read where it may be meant otherwise.
            labelled: One folder alone is a class, too.

        Raises:
            DataError: A metadata file cannot be read.
        """
        self._tell(events)
        images = [path for path in self.images if self.split_of(path) == split]
        tables = [path for path in self.others if is_metadata(path)]
        table = read_metadata(self.found.root, tables, lambda path: self.split_of(path) == split, events)
        if table is not None:
            paths, columns = table
            if self.classes and not labelled and columns.keys().isdisjoint(LABEL_NAMES):
                text = f"{listed(tables)} says the rows, and has no column label"
                folders = listed(sorted(set(self.classes.values())))
                events.warn(f"{text}: there are no labels, and the folders ({folders}) are not read as classes")
            if rest := sorted(set(images) - set(paths)):
                events.warn(f"{len(rest)} images are left out because no metadata file lists them: {listed(rest)}")
            return _build(self.found.root, paths, columns, None)
        classes = self.classes or (self._alone() if labelled else {})
        names = sorted(set(classes.values()))
        number = {folders: names.index(name) for folders, name in classes.items()}
        labels = np.array([number.get(_folders(path), -1) for path in images], np.int64)
        if not (labels >= 0).any():
            return _build(self.found.root, images, {}, None)
        if unlabelled := [images[row] for row in np.flatnonzero(labels < 0)]:
            text = f"{len(unlabelled)} images are beside the folders of classes and have no label"
            events.warn(f"{text}: {listed(unlabelled)}")
        for text in (*self.remarks, *lookalikes(names)):
            events.warn(text)
        return _build(self.found.root, images, {"label": pa.array(labels)}, [shown(name) for name in names])

    def _alone(self) -> dict[Parts, str]:
        """The one folder that holds images, as a class."""
        level = None if self.splits is None else self.splits.level
        return {parts: rest[-1] for parts in map(_folders, self.images) if (rest := _without(parts, level))}

    def _tell(self, events: Events) -> None:
        root = listed([Path(self.found.root).name])
        strange = [path for path in self.others if not is_metadata(path)]
        beside = [path for path in self.images if self.split_of(path) is None]
        for paths, why in (
            (strange, f"do not have the extension of an image ({_endings(strange)})"),
            ([path for path in self.found.hidden if _ending(path) in image_endings()], "are hidden images"),
            (self.found.broken, "are not files, or are links to nothing"),
            (beside, "are beside the folders of splits, in none of them"),
        ):
            if paths:
                events.warn(f"folder {root}: {len(paths)} left out that {why}: {listed(paths)}")
        if self.splits is not None and self.splits.unsure:
            events.warn(f"folder {root}: its folders are read as splits: {self.splits.unsure}")
        elif self.splits is None and (names := sorted(filter(names_split, set(self.classes.values())))):
            events.info(
                f"folder {root}: {listed(names)} is read as a class, not as a split, like the folders beside it"
            )


def list_folder(path: Path) -> ImageFolder:
    """What lies in a folder of images.

    Raises:
        DataError: It is no folder, cannot be listed, or holds no image.
    """
    found = walk(path)
    endings = image_endings()
    images = [file for file in found.files if _ending(file) in endings]
    others = [file for file in found.files if _ending(file) not in endings]
    if not images:
        got = f"none: it has {len(others)} other files ({_endings(others)})" if others else "none"
        mend = "Choose a folder with image files (recognised by their extensions); unpack archives first"
        raise DataError(f"expected images in {shown(str(path))!r}, got {got}", mend)
    folders = dict.fromkeys(map(_folders, images))
    splits = find_splits(folders)
    classes, remarks = _find_classes(folders, None if splits is None else splits.level)
    return ImageFolder(found=found, images=images, others=others, splits=splits, classes=classes, remarks=remarks)


@lru_cache(maxsize=1)
def image_endings() -> frozenset[str]:
    """The ends of the names of image files that PIL, with its plugins, can open; in lower case, with the dot."""
    from PIL import Image

    Image.init()
    return frozenset(end for end, form in Image.EXTENSION.items() if form in Image.OPEN) - _HEADERS_ONLY


def _find_classes(folders: Collection[Parts], level: int | None) -> tuple[dict[Parts, str], list[str]]:
    """Folders -> class; and how they were read, where it may be meant otherwise."""
    inner = {parts: _without(parts, level) for parts in folders}
    if level is not None:  # images beside the folders of splits are in no row
        inner = {parts: rest for parts, rest in inner.items() if len(parts) > level}
    shared = _shared([rest for rest in inner.values() if rest])
    inner = {parts: rest[shared:] for parts, rest in inner.items() if rest[shared:]}
    depths = {len(rest) for rest in inner.values()}
    firsts, lasts = ({rest[index] for rest in inner.values()} for index in (0, -1))
    if len(depths) > 1 or len(lasts) == 1:
        classes = {parts: rest[0] for parts, rest in inner.items()}
        text = f"images are at different depths: the class is the first folder ({listed(sorted(firsts))})"
        remarks = [text] if len(depths) > 1 else []
    else:
        classes = {parts: rest[-1] for parts, rest in inner.items()}
        text = f"the class is the folder that holds the image ({listed(sorted(lasts))}), not one above it"
        remarks = [f"{text} ({listed(sorted(firsts))})"] if max(depths, default=0) > 1 else []
    return (classes, remarks) if len(set(classes.values())) > 1 else ({}, [])


def _shared(paths: Sequence[Parts]) -> int:
    """How many names all paths begin with."""
    first, last = min(paths, default=()), max(paths, default=())
    return next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))


def _build(root: str, paths: Sequence[str], columns: Mapping[str, Any], names: Sequence[str] | None) -> Any:
    """A `datasets.Dataset` of files: the bytes of their paths, whatever those spell, and other columns."""
    import datasets

    files = pa.array([os.fsencode(os.path.join(root, path)) for path in paths], pa.binary())  # noqa: PTH118
    # Not cast: names of files are bytes, and need not be the UTF-8 that this type promises; `ArrowSamples` knows.
    cells = pa.StructArray.from_arrays([pa.nulls(len(paths), pa.binary()), files.view(pa.string())], ["bytes", "path"])
    table = pa.table({"image": cells, **{name: values for name, values in columns.items() if name != "image"}})
    features = datasets.Features.from_arrow_schema(table.schema)
    features["image"] = datasets.Image(decode=False)
    if names is not None:
        features["label"] = datasets.ClassLabel(names=list(names))
    info = datasets.DatasetInfo(features=features)
    return datasets.Dataset(datasets.table.InMemoryTable(table), info=info, fingerprint="0")


def _without(parts: Parts, level: int | None) -> Parts:
    """Folders but for that of the split."""
    return parts if level is None else parts[:level] + parts[level + 1 :]


def _folders(path: str) -> Parts:
    return parts_of(path)[:-1]


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()  # noqa: PTH122 - of a million paths


def _endings(paths: Sequence[str]) -> str:
    counts = Counter(_ending(path) or "no ending" for path in paths)
    return ", ".join(f"{shown(end)} {count}" for end, count in counts.most_common(5))

"""What every dataset is here: numbered rows that give an identity and pixels, and perhaps labels."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from teachonce.data.decode import DecodeError
from teachonce.digests import digest_array
from teachonce.errors import DataError
from teachonce.types import Identity, JsonObject

__all__ = ["ArraySamples", "DecodeError", "EncodedSamples", "NamedSamples", "Samples"]

_EXACT = 2.0**53  # whole numbers that a float64 has
MOST_NAMELESS = 1 << 16
"""Fewer classes than this without names are taken as they come; more must not be out of proportion to the rows."""


class Samples(Protocol):
    """A dataset with stable rows. Implementations can be pickled, and read from several threads at once."""

    @property
    def rows(self) -> int:
        """The number of samples."""

    @property
    def identity(self) -> Identity:
        """What `digest` hashes: the encoded bytes, the decoded array, or a key column."""

    @property
    def labels(self) -> np.ndarray | None:
        """int32 (rows,), each in 0..classes-1, or -1 for a row without one; None where no row has one."""

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes in label order, where they have names."""

    @property
    def classes(self) -> int | None:
        """The number of classes: of the names, else the largest label plus one; None without labels."""

    @property
    def description(self) -> JsonObject:
        """Where the data came from, as JSON."""

    def digest(self, row: int) -> int:
        """The row's identity, xxh3-64; 0 where its bytes are missing."""

    def decode(self, row: int) -> np.ndarray:
        """The row's pixels, uint8 (H, W, 3).

        Raises:
            DecodeError: The row gives no image.
        """


@runtime_checkable
class EncodedSamples(Protocol):
    """Samples that hold image files: worker processes can decode them from their bytes alone."""

    def encoded(self, row: int) -> bytes | memoryview:
        """The bytes of the row's image file.

        Raises:
            DecodeError: They are missing.
        """


@runtime_checkable
class NamedSamples(Protocol):
    """Samples whose rows have names: files, or keys."""

    def name(self, row: int) -> str | None:
        """What a person calls the row; None where it has no name."""


class ArraySamples:
    """Images in memory; identity "array".

    Args:
        images: uint8 (N, H, W, 3), or N arrays uint8 (H, W, 3) of any sizes.
        labels: Integers (N,), each at least 0, or -1 for a row without one; None: no labels.
        class_names: One name a class; None: classes are numbers only.
        description: Where the images came from, as JSON.

    Raises:
        DataError: No images, another dtype or shape, or labels that do not fit.
    """

    identity: Identity = "array"

    def __init__(
        self,
        images: np.ndarray | Sequence[np.ndarray],
        labels: Sequence[int] | np.ndarray | None = None,
        class_names: Sequence[str] | None = None,
        description: JsonObject | None = None,
    ) -> None:
        self.images = images
        self.rows = len(images)
        if not self.rows:
            raise DataError("expected at least one image, got none", "Give images of shape (H, W, 3)")
        for row in range(self.rows):
            _check_image(images[row], row)
        self.class_names = tuple(class_names) if class_names is not None else None
        self.labels = None if labels is None else check_labels(np.asarray(labels), self.rows, self.class_names)
        self.classes = count_classes(self.labels, self.class_names)
        self.description: JsonObject = dict(description or {"source": "arrays", "rows": self.rows})

    def digest(self, row: int) -> int:
        """See Samples.digest."""
        return digest_array(self.images[row])

    def decode(self, row: int) -> np.ndarray:
        """See Samples.decode; never fails here."""
        return self.images[row]


def check_labels(labels: np.ndarray, rows: int, class_names: tuple[str, ...] | None) -> np.ndarray | None:
    """Labels as int32 (rows,), checked; -1 and NaN are rows without one. None where no row has one.

    Raises:
        DataError: Several labels a sample, real-valued ones, the first row whose label is not in 0..classes-1, or
            labels that are ids: every class costs a row of weights and a mean, and these would take all the memory.
    """
    other = "(--label-column), or none (--label-column none)"
    if labels.ndim != 1 or len(labels) != rows:
        raise DataError(
            f"expected one label a sample, shape ({rows},), got shape {labels.shape}",
            f"Choose a column with one class a sample {other}",
        )
    if labels.dtype.kind == "f":
        labels = np.where(np.isnan(labels), -1.0, labels.astype(np.float64))
        wrong = np.flatnonzero((labels != np.rint(labels)) | (np.abs(labels) > _EXACT))
        if len(wrong):
            got = f"got {labels[wrong[0]]} in row {wrong[0]}: real numbers are not classes"
            raise DataError(f"expected whole numbers as labels, {got}", f"Choose a column of classes {other}")
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iub":
        raise DataError(
            f"expected whole numbers as labels, got {labels.dtype}: real numbers are not classes",
            f"Choose a column of classes {other}",
        )
    outside = labels < -1 if class_names is None else (labels < -1) | (labels >= len(class_names))
    if len(wrong := np.flatnonzero(outside)):
        row, names = int(wrong[0]), f"0..{len(class_names) - 1}" if class_names is not None else "0 or more"
        raise DataError(
            f"expected labels {names}, or -1 for none, got {labels[row]} in row {row} ({len(wrong)} such rows)",
            "Correct the labels, choose another split or column (--label-column), or use none (--label-column none)",
        )
    if class_names is None and rows and int(labels.max()) >= max(MOST_NAMELESS, 10 * rows):
        raise DataError(
            f"expected labels that number classes from 0, got {labels.max()} in row {int(labels.argmax())}: "
            f"{int(labels.max()) + 1:,} classes for {rows:,} rows",
            f"Choose a column of classes {other}; ids are not classes",
        )
    return labels.astype(np.int32) if (labels >= 0).any() else None


def count_classes(labels: np.ndarray | None, class_names: tuple[str, ...] | None) -> int | None:
    """See Samples.classes."""
    if labels is None:
        return None
    return len(class_names) if class_names is not None else int(labels.max()) + 1


def _check_image(image: np.ndarray, row: int) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise DataError(
            f"expected images of dtype uint8 and shape (H, W, 3), got {image.dtype} {image.shape} in row {row}",
            "Convert the images to 8-bit RGB, channels last",
        )

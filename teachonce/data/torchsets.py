"""A user's own torch Dataset as Samples, in the Python API."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from teachonce.data.decode import DecodeError, rgb_array
from teachonce.data.samples import check_labels, count_classes
from teachonce.digests import digest_array
from teachonce.errors import DataError, InputError
from teachonce.types import Identity, JsonObject

_MEND = "Give PIL images, or uint8 tensors (H, W, 3), (3, H, W) or (H, W), without ToTensor, normalisation or cropping"


class TorchSamples:
    """A map-style dataset of images, or of tuples (image, label, ...); identity "array".

    Args:
        dataset: Has `__len__` and `__getitem__`; gives the same image each time it is asked for a row.
        labels: Integers (N,), -1 for a row without one; None: those of its `targets` or `labels`, else of its items.
        class_names: One name a class; None: those of its `classes`, where it has any.
        description: Where the images came from, as JSON.

    Raises:
        DataError: It is empty, its items are no images, a row changes from one reading to the next, or its labels do
            not fit.
    """

    identity: Identity = "array"

    def __init__(
        self,
        dataset: Any,
        *,
        labels: Sequence[int] | np.ndarray | None = None,
        class_names: Sequence[str] | None = None,
        description: JsonObject | None = None,
    ) -> None:
        self._dataset = dataset
        self.rows = len(dataset)
        if not self.rows:
            raise DataError("expected a dataset with samples, got an empty one", "Choose data with rows")
        if self.digest(0) != self.digest(0):
            raise DataError(
                "expected the same image each time row 0 is read, got another: the dataset is random",
                "Remove its random transforms; views are drawn once, by --augment, and stored",
            )
        names = class_names if class_names is not None else getattr(dataset, "classes", None)
        self.class_names = None if names is None else tuple(str(name) for name in names)
        found = self._find_labels() if labels is None else np.asarray(labels)
        self.labels = None if found is None else check_labels(found, self.rows, self.class_names)
        self.classes = count_classes(self.labels, self.class_names)
        self.description: JsonObject = dict(description or {"source": type(dataset).__name__, "rows": self.rows})

    def digest(self, row: int) -> int:
        """See Samples.digest."""
        return digest_array(self.decode(row))

    def decode(self, row: int) -> np.ndarray:
        """See Samples.decode.

        Raises:
            DataError: The item is no image of 8 bits a channel.
        """
        item = self._dataset[row]
        return as_rgb(item[0] if isinstance(item, tuple | list) else item, row)

    def _find_labels(self) -> np.ndarray | None:
        for name in ("targets", "labels"):
            values = getattr(self._dataset, name, None)
            if values is not None:
                return np.asarray(values)
        first = self._dataset[0]
        if not isinstance(first, tuple | list) or len(first) < 2:
            return None
        return np.array([np.asarray(self._dataset[row][1]) for row in range(self.rows)])


def as_rgb(image: Any, row: int) -> np.ndarray:
    """An 8-bit image as these samples take it: uint8 (H, W, 3).

    Args:
        image: A PIL image of any mode, or uint8 (H, W, 3), (3, H, W) or (H, W), with 1 or 3 channels.
        row: For the error.

    Raises:
        DataError: It is something else.
    """
    if isinstance(image, Image.Image):
        try:
            return rgb_array(image)
        except DecodeError:
            got = f"{image.mode} with values from {image.getextrema()}"
            raise DataError(f"expected an 8-bit image in row {row}, got mode {got}", _MEND) from None
    try:
        array = as_array(image, f"an 8-bit image in row {row}")
    except InputError as error:
        raise DataError(error.message, _MEND) from error
    if array.ndim == 2:
        array = array[:, :, None]
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] not in (1, 3) and array.shape[0] in (1, 3):
        array = array.transpose(1, 2, 0)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3) or 0 in array.shape:
        raise DataError(f"expected an 8-bit image in row {row}, got {array.dtype} of shape {array.shape}", _MEND)
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def as_array(value: Any, what: str) -> np.ndarray:
    """What a user gives as an array, or as a tensor on any device: an array of NumPy.

    Args:
        value: Any object; what is no array makes one of objects.
        what: For the error.

    Raises:
        InputError: It cannot be one: a ragged list, a tensor whose values are not dense, or of a dtype NumPy lacks.
    """
    try:
        return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        got = f"a tensor of {value.dtype}, {value.layout}" if isinstance(value, Tensor) else type(value).__name__
        raise InputError(f"expected {what}, got {got}, which is not an array", "Give a plain array or list") from error

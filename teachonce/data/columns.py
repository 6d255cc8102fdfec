"""Which columns of a dataset hold the images, the labels and the keys: by feature type, or as named."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from teachonce.data.labels import lookalikes
from teachonce.data.samples import check_labels
from teachonce.errors import DataError
from teachonce.events import SILENT, Events
from teachonce.options.make import near

NONE = "none"
"""As a label column's name: the dataset is used without labels."""

_FILES_OR_PATHS = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_string, pa.types.is_large_string)
LABEL_NAMES = ("label", "labels", "target", "targets", "class", "fine_label")
"""What columns of labels are called, where their type does not say so."""


def image_column(features: Any, named: str | None) -> str:
    """The column of images: the named one, else the only one of datasets' Image type (or laid out as one).

    Raises:
        DataError: None, several, or a named column that is absent or holds no images.
    """
    found: list[str] = [name for name in features if _holds_images(features.arrow_schema.field(name).type)]
    if named is not None:
        kind = column_type(features, named, "--image-column")
        if not (named in found or any(test(kind) for test in _FILES_OR_PATHS)):
            raise DataError(f"expected images in column {named!r}, got {kind}", _choose(features, "--image-column"))
        return named
    if len(found) != 1:
        got = f"got {len(found)}: {', '.join(found)}" if found else "found none"
        raise DataError(f"expected one column of images, {got}", _choose(features, "--image-column"))
    return found[0]


def label_column(features: Any, named: str | None) -> str | None:
    """The column of labels: the named one, else the only ClassLabel, else one that is called so; None without.

    Raises:
        DataError: The named column is absent, or there are several of type ClassLabel.
    """
    from datasets import ClassLabel

    if named is not None and named.lower() == NONE and named not in features:
        return None
    if named is not None:
        column_type(features, named, "--label-column")
        return named
    found = [name for name, feature in features.items() if isinstance(feature, ClassLabel)]
    if len(found) > 1:
        raise DataError(
            f"expected one column of labels, got {len(found)}: {', '.join(found)}",
            f"Name one with --label-column, or {NONE}",
        )
    return found[0] if found else next((name for name in LABEL_NAMES if name in features), None)


def key_column(features: Any, named: str) -> str:
    """The named column of keys, whole numbers or text.

    Raises:
        DataError: It is absent or holds something else.
    """
    kind = column_type(features, named, "the key column")
    if not (pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(f"expected whole numbers or text in key column {named!r}, got {kind}", "Choose another column")
    return named


def read_labels(
    values: pa.ChunkedArray, feature: Any, name: str, events: Events = SILENT
) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    """A column of labels as int32 (rows,), and the class names where there are any; text is numbered in sorted order.

    A row without a label (null, -1, NaN, an empty text) has -1; where no row has one, there are no labels.

    Args:
        values: The column.
        feature: Its type in `datasets`.
        name: Its name.
        events: Is told of rows without a label, and of names that look alike.

    Raises:
        DataError: Several labels a sample, real-valued ones, or one out of range (the row is named).
    """
    from datasets import ClassLabel

    values = _decoded(values)
    if pa.types.is_null(values.type):
        return None, None
    names: tuple[str, ...] | None = None
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        numbers, names = _number_texts(values)
        for remark in lookalikes(names):
            events.warn(remark)
    else:
        numbers = _numbers(values, name)
        names = tuple(feature.names) if isinstance(feature, ClassLabel) and feature.names else None
    labels = check_labels(numbers, len(numbers), names)
    _tell_labels(labels, len(numbers), names, name, events)
    return labels, None if labels is None else names


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without the encodings that a reader need not know."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return values.cast(pa.string()) if str(values.type) == "string_view" else values


def _numbers(values: pa.ChunkedArray, name: str) -> np.ndarray:
    """Numbers as they are, -1 for null."""
    kind, other = values.type, f"choose another column with --label-column, or {NONE}"
    if pa.types.is_nested(kind):
        hint = f"Convert them to numbers, or {other}"
        raise DataError(f"expected one label a sample in column {name!r}, got several ({kind})", hint)
    if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_floating(kind)):
        hint = f"Convert them, or {other}"
        raise DataError(f"expected whole numbers or text as labels in column {name!r}, got {kind}", hint)
    there: np.ndarray = values.drop_null().to_numpy()
    if not values.null_count:
        return there
    if pa.types.is_floating(kind):
        numbers = np.full(len(values), -1, np.float64)
    elif there.dtype == np.uint64 and there.max(initial=0) > np.iinfo(np.int64).max:
        numbers = np.zeros(len(values), np.uint64)  # has no -1; the caller refuses such values, which are ids
    else:
        numbers = np.full(len(values), -1, np.int64)
    numbers[values.is_valid().to_numpy()] = there
    return numbers


def _tell_labels(
    labels: np.ndarray | None, rows: int, names: tuple[str, ...] | None, name: str, events: Events
) -> None:
    there = np.zeros(0, np.int32) if labels is None else labels[labels >= 0]
    if without := rows - len(there):
        events.info(
            f"{without} of {rows} rows have no label in column {name!r}: they are embedded, "
            "and left out of class means, training and evaluation"
        )
    classes = int(there.max(initial=-1)) + 1
    if names is None and (empty := classes - len(np.unique(there))):
        text = f"labels of column {name!r} go from {there.min()} to {there.max()}"
        events.info(f"{text}: {empty} of the {classes} classes, counted from 0, have no rows")


def _number_texts(values: pa.ChunkedArray) -> tuple[np.ndarray, tuple[str, ...]]:
    texts = values.fill_null("").to_numpy().astype(str)
    names, numbers = np.unique(texts, return_inverse=True)
    blank = [index for index, text in enumerate(names) if not text.strip()]
    kept = np.delete(np.arange(len(names)), blank)
    order = np.full(len(names), -1, np.int64)
    order[kept] = np.arange(len(kept))
    return order[numbers], tuple(str(text) for text in names[kept])


def _holds_images(kind: pa.DataType) -> bool:
    """Whether it is the struct of bytes and path that datasets' Image is, with or without that name."""
    names = {field.name: field.type for field in kind} if pa.types.is_struct(kind) else {}
    return set(names) == {"bytes", "path"} and any(test(names["bytes"]) for test in _FILES_OR_PATHS)


def column_type(features: Any, name: str, option: str) -> pa.DataType:
    """The type of a named column.

    Args:
        features: Those of the dataset.
        name: The column.
        option: By which it was named, for the error.

    Raises:
        DataError: It is absent; the nearest name is told.
    """
    if name not in features:
        raise DataError(f"there is no column {name!r}{near(name, list(features))}", _choose(features, option))
    return features.arrow_schema.field(name).type


def _choose(features: Sequence[str], option: str) -> str:
    return f"The columns are {', '.join(features)}: name one with {option}"

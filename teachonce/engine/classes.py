"""Whether the classes of the data are those of a teacher, a run or a store, in the same order."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from teachonce.data.labels import match_labels, out_of_order, plain
from teachonce.data.samples import Samples
from teachonce.errors import DataError, MismatchError
from teachonce.events import SILENT, Events
from teachonce.methods.requirements import require_class_means

_LOGITS = "Use data of the same classes in the same order, or a method that needs no logits, such as clip-teacher-kd"
_MEANS = "Use the data, split and --limit the store was made from, or make another store with `teachonce embed`"


class Classes(Protocol):
    """The classes of some data: samples have them, and a store says them."""

    @property
    def classes(self) -> int | None:
        """How many; None without labels."""

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """In the order of the labels, where they have names."""


def require_labels(samples: Samples, why: str) -> NDArray[np.int32]:
    """The labels, int32 (rows,).

    Raises:
        DataError: The data has none.
    """
    if samples.labels is None or samples.classes is None:
        raise DataError(f"{why} needs labels, and the data has none", "Name the column of classes with --label-column")
    return samples.labels


def check_classes(
    who: str, classes: int | None, names: Sequence[str] | None, samples: Classes, mend: str = _LOGITS
) -> None:
    """Refuse data whose classes are not those of `who` (the teacher, the run), in the same order.

    Names are compared without regard to case, and `_` counts as a space; names that are whole numbers also with the
    numbers of data without names.

    Raises:
        MismatchError: Another number of classes, or the first class that differs.
    """
    if classes is not None and samples.classes is not None and classes != samples.classes:
        raise MismatchError(f"{who} has {classes} classes, the data has {samples.classes}", mend)
    for index, (theirs, ours) in enumerate(zip(names or (), samples.class_names or (), strict=False)):
        if plain(theirs) != plain(ours):
            message = (
                f"{who} has other classes than the data, or another order: class {index} is {theirs!r} and {ours!r}"
            )
            raise MismatchError(message, mend)
    if samples.class_names is None and (moved := out_of_order(names)) is not None:
        message = f"{who} has its classes in another order than numbers: class {moved} is {(names or ())[moved]!r}"
        raise MismatchError(f"{message}, and {moved} in the data", mend)


def labels_for(
    who: str, classes: int, names: Sequence[str] | None, samples: Samples, events: Events = SILENT
) -> NDArray[np.int32]:
    """The labels of test data in the numbers of `who` (the run, the training data), int32 (rows,); see `match_labels`.

    Raises:
        DataError: The data has no labels.
        MismatchError: It has rows of a class that `who` lacks.
    """
    labels = require_labels(samples, "evaluating")
    matched, remark = match_labels(labels, samples.class_names, who=who, classes=classes, known=names)
    if remark is not None:
        events.info(remark)
    return matched


def check_means(counts: NDArray[np.int64], labels: NDArray[np.int32], samples: Samples) -> None:
    """Refuse class means that are not of the data's classes, or lack one of a class that has rows.

    Args:
        counts: (C,) the rows that each mean was made from.
        labels: Those of rows that may be trained on.
        samples: The data.

    Raises:
        MismatchError: Another number of classes.
        DataError: A class has rows and no mean; the first of them are named.
    """
    if len(counts) != samples.classes:
        raise MismatchError(f"there are means of {len(counts)} classes, the data has {samples.classes}", _MEANS)
    require_class_means(counts, labels[labels >= 0], samples.class_names)

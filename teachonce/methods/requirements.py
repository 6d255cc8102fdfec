"""What a method needs, held against what a target has: before the first step, with the command that mends it."""

from collections.abc import Collection

import numpy as np

from teachonce.errors import DataError, StoreMissingError
from teachonce.signals import Needs, of_rows, signal
from teachonce.types import TargetSpec


def missing(
    needs: Needs, spec: TargetSpec, others: Collection[str] = (), *, method: str = "the method", store: str = "S"
) -> None:
    """Refuse a target that lacks what a method needs.

    Args:
        needs: Signals.
        spec: The target's; logits that follow from a stored head count as its own.
        others: The signals that it has beside its arrays, such as class means.
        method: The method's name, for the message.
        store: The store's path, for the command.

    Raises:
        StoreMissingError: It names what is missing and the `teachonce embed` command that adds it.
    """
    rows = of_rows(needs)
    for name in (*rows, *sorted(needs - {*rows})):
        if name in spec.arrays or name in others:
            continue
        lacks = signal(name)
        embed = f"teachonce embed --teacher T --data D --store {store} --name"
        there = ", ".join(sorted(spec.arrays)) or "nothing"
        message = f"{method} needs {lacks.text}, target {spec.name!r} has {there}"
        raise StoreMissingError(message, lacks.mend.format(embed=embed, target=spec.name))


def require_class_means(counts: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...] | None = None) -> None:
    """Refuse labels whose class has no mean: once, on the host, so that no step has to look.

    Args:
        counts: (C,) int64, how many rows each class mean was made from.
        labels: (N,) the labels of the training data.
        class_names: For the message.

    Raises:
        DataError: A label is outside [0, C), or its class was never seen by the teacher.
    """
    needed = np.unique(labels)
    if len(needed) and (needed[0] < 0 or needed[-1] >= len(counts)):
        bad = int(needed[0] if needed[0] < 0 else needed[-1])
        raise DataError(f"label {bad} has no class mean: there are {len(counts)}", "Embed the data that you train on")
    if len(empty := needed[counts[needed] == 0]):
        names = [class_names[label] if class_names else str(label) for label in empty[:10]]
        message = f"{len(empty)} classes of the data have no class mean: none of their samples was embedded"
        raise DataError(
            f"{message} ({', '.join(names)})", "Embed the data that you train on, with samples of every class"
        )

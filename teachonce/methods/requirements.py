"""What a method needs, held against what a store has: before the first step, with the command that mends it."""

import numpy as np

from teachonce.errors import DataError, StoreMissingError
from teachonce.methods.targets import Needs
from teachonce.types import TargetSpec


def missing(
    needs: Needs,
    spec: TargetSpec,
    class_means: bool,
    *,
    method: str = "the method",
    store: str = "S",
) -> None:
    """Refuse a target that lacks what a method needs.

    Args:
        needs: The method's.
        spec: The target's; logits that follow from a stored head count as its own.
        class_means: Whether the store has class means for it.
        method: The method's name, for the message.
        store: The store's path, for the command.

    Raises:
        StoreMissingError: It names what is missing and the `teachonce embed` command that adds it.
    """
    command = f"teachonce embed --teacher T --data D --store {store} --name"
    there = ", ".join(sorted(spec.arrays)) or "nothing"
    if needs.logits and "logits" not in spec.arrays:
        mend = f"Use a teacher with a classification head: `{command} OTHER`, then --target OTHER"
        raise StoreMissingError(f"{method} needs logits, target {spec.name!r} has {there}", mend)
    if needs.image_embedding and "image_embedding" not in spec.arrays:
        mend = f"Add them: `{command} OTHER`, then --target OTHER"
        raise StoreMissingError(f"{method} needs image embeddings, target {spec.name!r} has {there}", mend)
    if needs.class_mean and not class_means:
        mend = f"Use data with labels in another store: `{command} {spec.name} --label-column COLUMN`"
        raise StoreMissingError(f"{method} needs class means, target {spec.name!r} was embedded without labels", mend)


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

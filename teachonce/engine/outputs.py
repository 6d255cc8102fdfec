"""Warnings about a teacher's outputs, cached or live: unused weights, classes without names, no softmax expected."""

from collections.abc import Sequence

import numpy as np

from teachonce.data.labels import match_labels, out_of_order
from teachonce.data.samples import Samples
from teachonce.errors import MismatchError
from teachonce.events import Events
from teachonce.models import TeacherInfo
from teachonce.models.unused import matters
from teachonce.texts import listed

SOFTMAX = "methods that use its logits apply a softmax: prefer a method that uses embeddings"


def tell_unused(info: TeacherInfo, events: Events) -> None:
    """Say which parts of its checkpoint a teacher does without; a warning where its embedding may need them."""
    after = [part for part in info.unused if not matters(part)]
    if after:
        events.info(
            f"the teacher's checkpoint also has {listed(after)}, which its {info.embedding} embedding does not need"
        )
    inside = [part for part in info.unused if matters(part)]
    if inside:
        events.warn(
            f"the teacher's checkpoint has {listed(inside)}, which its network does not have: its "
            f"{info.embedding} embedding is computed without them; check `architectures` in its config.json"
        )


def tell_nameless(whose: str, samples: Samples, events: Events) -> None:
    """Warn of outputs without names where the data's class names are numbers in the order of texts.

    Args:
        whose: The classes of the outputs, such as `the teacher's classes`.
        samples: The data.
        events: Is told.
    """
    if (index := out_of_order(samples.class_names)) is not None:
        name = (samples.class_names or ())[index]
        events.warn(f"{whose} have no names: output {index} is taken for class {name!r} of the data")


def head_order(names: Sequence[str] | None, samples: Samples) -> list[int] | None:
    """The number that each class of the data has among others, by name; empty where one has none.

    Args:
        names: Of the others; None: not known, and the result is None.
        samples: The data.
    """
    if names is None:
        return None
    own = np.arange(samples.classes or 0, dtype=np.int32)
    try:
        found, _ = match_labels(own, samples.class_names, who="", classes=len(names), known=names)
    except MismatchError:
        return []
    return list(map(int, found))


def tell_task(info: TeacherInfo, events: Events) -> bool:
    """Warn where a teacher was not trained with a softmax, as far as its config tells; whether that is so."""
    if info.classes == 1:
        events.warn(f"the teacher has one output, whose softmax is 1 for every row; {SOFTMAX}")
        return True
    task = info.config.get("problem_type")
    if info.classes is None or task not in ("multi_label_classification", "regression"):
        return False
    events.warn(f"the teacher was trained for {task}, not for one class per row; {SOFTMAX}")
    return True

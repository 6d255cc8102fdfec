"""Warnings about a teacher's outputs, cached or live: unused weights, classes without names, no softmax expected."""

from teachonce.data.labels import out_of_order
from teachonce.data.samples import Samples
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


def tell_nameless(info: TeacherInfo, samples: Samples, events: Events) -> None:
    """Warn where the teacher's classes have no names, and the data's are numbers in the order of texts."""
    if info.classes is None or info.class_names is not None:
        return
    if (index := out_of_order(samples.class_names)) is not None:
        name = (samples.class_names or ())[index]
        events.warn(f"the teacher's classes have no names: output {index} is taken for class {name!r} of the data")


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

"""What may be wrong although nothing is broken: other versions, other classes, a teacher that guesses."""

from collections.abc import Mapping
from typing import Any

from teachonce.cache import open_store
from teachonce.data.decode import DEEP, TRANSPARENT
from teachonce.data.rules import installed_rule
from teachonce.engine.classes import check_classes
from teachonce.engine.outputs import SOFTMAX, tell_nameless, tell_task
from teachonce.engine.stage_one.contents import versions
from teachonce.engine.stage_one.job import Job
from teachonce.engine.stage_one.score import are_probabilities, first_logits, is_near_chance, teacher_top1
from teachonce.errors import MismatchError
from teachonce.events import Events


def tell_differences(job: Job, events: Events) -> None:
    """Say what differs from the run that began the store, and is allowed to."""
    if job.views.rule != installed_rule():
        events.info(f"images are resized by the store's rule {job.views.rule!r}; the installed Pillow has another rule")
    if job.views.augment is None and job.views.view != job.teacher.info.view:
        events.info("the views are those of the store; this teacher's own evaluation view differs")
    if job.record is None:
        return
    if job.record.sealed:
        computed, asked = _computed(job.record.settings), _computed({**job.record.settings, **job.given_settings()})
        if computed != asked:
            events.warn(
                f"target {job.record.name!r} was computed in {computed} and is not changed: "
                f"use another --name to compute it in {asked}"
            )
        return
    before, now = job.record.attributes.get("versions", {}), versions()
    changed = [f"{name} {before[name]} -> {now.get(name)}" for name in before if before[name] != now.get(name)]
    if changed:
        events.warn(
            f"the target was begun with other versions ({', '.join(changed)}): values may differ in the last bit"
        )


def _computed(settings: Mapping[str, Any]) -> str:
    return f"{settings['compute_dtype']}{' with TF32' if settings.get('tf32') else ''}"


def tell_treated(counts: Mapping[int, int], events: Events) -> None:
    """Say once how many images were decoded otherwise than many pipelines do, as the store's `data` says of all.

    Args:
        counts: What was done -> images; see `decode_treated`.
        events: Who watches.
    """
    total = sum(counts.values())
    said = {
        TRANSPARENT: "have transparency, which is composited on white: convert('RGB') of PIL would ignore alpha",
        DEEP: "have more than 8 bits of grey, scaled to 8: convert('RGB') of PIL would clip them at 255",
    }
    for kind, words in said.items():
        if counts.get(kind):
            events.info(f"{counts[kind]:,} of {total:,} images {words}")


def score_teacher(job: Job, events: Events) -> float | None:
    """The teacher's top-1 on the labels, from the stored logits of view 0; warns where something does not fit.

    Returns:
        A share from 0 to 1; None without labels or logits, or where the numbers of classes differ.
    """
    info, labels = job.teacher.info, job.samples.labels
    _tell_outputs(job, events)
    if labels is None or info.classes is None:
        return None
    try:
        check_classes("the teacher", info.classes, info.class_names, job.samples)
    except MismatchError as error:
        events.warn(f"{error.message}; methods that use logits will refuse this target")
    if info.classes != job.samples.classes:
        return None
    if info.class_names is None:
        tell_nameless("the teacher's classes", job.samples, events)
    scored = teacher_top1(open_store(job.path), job.options.name, labels)
    if scored is None:
        return None
    share, rows = scored
    if is_near_chance(share, rows, info.classes):
        events.warn(
            f"the teacher's top-1 on the labels is {share:.1%}, near chance ({1 / info.classes:.1%}): "
            "check that its classes, their order and its preprocessing match this data"
        )
    return share


def _tell_outputs(job: Job, events: Events) -> None:
    """Say where the teacher's outputs are not what a softmax expects, by its config or by the first of them."""
    if tell_task(job.teacher.info, events) or job.teacher.info.classes is None:
        return
    if are_probabilities(first_logits(open_store(job.path), job.options.name)):
        events.warn(f"the teacher's outputs are already probabilities (each row sums to 1), not logits; {SOFTMAX}")

"""What a target and the labels of its store give to learn from."""

from dataclasses import dataclass

from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord
from teachonce.engine.classes import check_classes
from teachonce.errors import InputError, MismatchError
from teachonce.events import Events
from teachonce.options.rdm import RdmOptions

_OTHERS = "Use --ce-weight 0 (labels are then not used), or --kl-weight 0 (the teacher's logits are then not used)"


@dataclass(frozen=True, kw_only=True)
class StoreClasses:
    """The classes of a store's labels."""

    classes: int | None
    """None without labels."""
    class_names: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """What RDMs learn beside the reconstruction."""

    ce: bool
    """Whether from the labels."""
    kl: bool
    """Whether from the teacher's logits."""
    teacher_fits: bool
    """Whether the teacher gives logits, stored or by its head, of the classes that the labels are of."""
    classes: int | None
    """C, of the RDMs' logits; None where they have none."""
    class_names: tuple[str, ...] | None
    labels_fit: bool
    """Whether the labels are of these classes, so that accuracy can be told."""


def learnt(store: Store, parent: TargetRecord, config: RdmOptions, events: Events) -> Learnt:
    """Find out what there is, and say what is missing.

    Raises:
        MismatchError: CE and KL are both wanted, and the teacher's classes are not the labels'.
        InputError: The preset cnn, which has no reconstruction, has nothing else to learn from.
    """
    ours, teacher = store_classes(store, parent), teacher_classes(parent)
    labelled, has_logits = ours.classes is not None, teacher.classes is not None
    ce, kl = config.ce_weight > 0 and labelled, config.kl_weight > 0 and has_logits
    if config.ce_weight > 0 and not labelled:
        events.info(f"{store.path} has no labels: the RDMs are trained without cross-entropy")
    if config.kl_weight > 0 and not has_logits:
        events.info(f"target {parent.name!r} has neither logits nor a head: the RDMs are trained without KL")
    if config.preset == "cnn" and not (ce or kl):
        mend = "Use a teacher with logits, data with labels, or another --preset"
        raise InputError("the cnn preset has no reconstruction: it needs logits or labels", mend)
    if ce and kl:
        check_classes(f"target {parent.name!r}", teacher.classes, teacher.class_names, ours, _OTHERS)
    chosen = teacher if kl else ours if ce else StoreClasses(classes=None, class_names=None)
    return Learnt(
        ce=ce,
        kl=kl,
        teacher_fits=has_logits and _fit(teacher, ours),
        classes=chosen.classes,
        class_names=chosen.class_names,
        labels_fit=_fit(chosen, ours),
    )


def store_classes(store: Store, parent: TargetRecord) -> StoreClasses:
    """Of the labels: as many as the seal of the parent was told."""
    names = store.spec.data.get("class_names")
    classes = parent.seal["classes"]
    return StoreClasses(classes=classes, class_names=tuple(names) if names and classes is not None else None)


def teacher_classes(parent: TargetRecord) -> StoreClasses:
    """Of the logits, stored or by the head; none where it has neither."""
    classes = parent.spec.width("logits") or (parent.head["classes"] if parent.head else None)
    return StoreClasses(classes=classes, class_names=parent.spec.class_names if classes is not None else None)


def _fit(theirs: StoreClasses, ours: StoreClasses) -> bool:
    if theirs.classes is None or ours.classes is None:
        return False
    try:
        check_classes("", theirs.classes, theirs.class_names, ours)
    except MismatchError:
        return False
    return True

"""The pieces that a training is put together from, each checked against the others."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachonce.cache.classes import chosen_rows
from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord
from teachonce.data.memory import available_memory, device_budget
from teachonce.data.resident import ImageSource
from teachonce.data.samples import Samples
from teachonce.data.views import parse_augment
from teachonce.engine.cached import CachedTargets
from teachonce.engine.cached_target import per_class
from teachonce.engine.classes import check_classes, check_means
from teachonce.engine.device import Autocast, Precision, autocast, teacher_precision
from teachonce.engine.feed import cut
from teachonce.engine.live import LiveTargets, live_class_means, live_spec, rdm_spec
from teachonce.engine.outputs import tell_nameless, tell_task, tell_unused
from teachonce.engine.rdm.parent import teacher_classes
from teachonce.engine.stage_one.contents import teacher_dtype
from teachonce.engine.stage_one.views import stored_views
from teachonce.engine.targets import TargetSource
from teachonce.engine.views import EpochViews
from teachonce.errors import MismatchError
from teachonce.events import Events, Task
from teachonce.methods.method import Method
from teachonce.models.rdm import RdmStack
from teachonce.models.teacher import Teacher, load_teacher
from teachonce.options.train import TrainOptions
from teachonce.signals import Needs, member
from teachonce.types import DECODED, EvalView, InputSpec

PER_CLASS = 100  # rows of each class in its mean, where no store says otherwise
TARGET_SHARE = 0.05
_MEAN_BATCH = 64


@dataclass(kw_only=True)
class Parts:
    """What is known of a session while it is put together."""

    config: TrainOptions
    samples: Samples
    store: Store | None
    method: Method
    labels: NDArray[np.int32] | None
    """(N,), -1 for a row without one; None where the data has none, and the method needs none."""
    device: torch.device
    precision: Precision
    events: Events
    student_bytes: int = 0
    """What the student and its optimiser keep on the device."""
    target_budget: int | None = None
    """Bytes of the device's memory that cached targets may take; None: TARGET_SHARE of `student_bytes`."""
    epoch_rows: int | None = None
    """Rows that the data stand for, where only some of them are there; None: those that there are."""
    classes: int = 1
    """Of the student's head: see `name_classes`."""
    class_names: tuple[str, ...] | None = None

    def name_classes(self, teacher: Teacher | None) -> None:
        """The student's classes are those of the data, without labels those of the teacher's logits.

        Where there are neither, its head has one output, which nothing trains.

        Args:
            teacher: The live one.
        """
        if self.samples.classes is not None:
            self.classes, self.class_names = self.samples.classes, self.samples.class_names
            return
        record = _record(self) if teacher is None else None
        if teacher is not None:
            found, names = teacher.info.classes, teacher.info.class_names
        else:
            known = None if record is None else teacher_classes(record)
            found, names = (None, None) if known is None else (known.classes, known.class_names)
        if found is None:
            self.events.info("there are no classes: the student's head has one output, which is not trained")
            return
        self.classes, self.class_names = found, names

    @property
    def needs_label(self) -> bool:
        """Whether a row without a label is of no use."""
        return "label" in self.method.inputs

    @property
    def left_out(self) -> str:
        """Why rows are left out."""
        return "they could not be decoded" + (", or have no label" if self.needs_label else "")


def live_teacher(parts: Parts) -> Teacher | None:
    """The teacher, where it runs live: with the embedding of the store's target, where there is one.

    Raises:
        ModelError: It cannot be loaded.
        MismatchError: The method needs its logits, and its classes are not the data's; or RDMs are to run on its
            embeddings, and they were trained on another's.
    """
    if parts.config.source != "live" or not parts.method.needs:
        return None
    assert parts.config.teacher is not None
    record = _record(parts)
    embedding = "auto" if record is None else record.attributes.get("embedding", "auto")
    teacher = load_teacher(
        parts.config.teacher,
        device=parts.device,
        dtype=parts.config.teacher_dtype,
        device_map=parts.config.teacher_device_map,
        memory=available_memory(),
        embedding=embedding if embedding in ("cls", "pooler", "mean", "projected") else "auto",
        classes=parts.samples.classes,
        trust_remote_code=parts.config.trust_remote_code,
    )
    other = None if record is None else _difference(teacher, record)
    if record is not None and other is not None:
        message = f"the live teacher has {other} than the one that made target {record.name!r}"
        if parts.config.rdm:
            raise MismatchError(f"{message}, on which the RDMs were trained", "Use that teacher, or leave --rdm out")
        parts.events.warn(message)
    tell_unused(teacher.info, parts.events)
    if "logits" in parts.method.needs:
        check_classes("the teacher", teacher.info.classes, teacher.info.class_names, parts.samples)
        if teacher.info.class_names is None:
            tell_nameless("the teacher's classes", parts.samples, parts.events)
        tell_task(teacher.info, parts.events)
    return teacher


def _difference(teacher: Teacher, record: TargetRecord) -> str | None:
    """In what a live teacher differs from the one of a target: its dtype, else its weights, which are others then."""
    theirs = teacher_dtype(record)
    if teacher.info.dtype != theirs:
        return f"another dtype ({teacher.info.dtype}, not {theirs})"
    same = record.fingerprint_fields.get("teacher", {}).get("weights") == teacher.info.weights
    return None if same else "other weights"


def budget_for_targets(parts: Parts) -> int:
    """Bytes of the device's memory that cached targets may take.

    Little beside the student: memory is what a cache saves, and steps that read ahead from the map take as long.
    """
    if parts.target_budget is not None:
        return parts.target_budget
    most = min(device_budget(parts.device), int(TARGET_SHARE * parts.student_bytes))
    return most if parts.epoch_rows is None else most * parts.samples.rows // parts.epoch_rows


def cached_targets(parts: Parts, reads: Mapping[str, Needs], *, from_head: Collection[str] = ()) -> CachedTargets:
    """Targets of the store.

    Args:
        parts: The session so far.
        reads: See `CachedTargets`.
        from_head: See `CachedTargets`.

    Raises:
        StoreMissingError: The store has no such target, or it lacks what the method needs.
        UnsealedError: A target is not finished.
        MismatchError: Classes are not the data's.
        DataError: A class that has rows has no mean, and the method needs one.
    """
    assert parts.store is not None
    source = CachedTargets(
        parts.store,
        reads,
        device=parts.device,
        budget_bytes=budget_for_targets(parts),
        memory_bytes=available_memory(),
        method=f"method {parts.method.name}",
        from_head=from_head,
    )
    for name, target in source.targets.items():
        if "logits" in reads[name]:
            check_classes(f"target {name!r}", target.spec.width("logits"), target.spec.class_names, parts.samples)
    if source.class_counts is not None:
        assert parts.labels is not None
        usable = (parts.store.sample_status() == DECODED) & source.usable
        check_means(source.class_counts, parts.labels[usable], parts.samples)
    return source


def live_targets(
    parts: Parts,
    teacher: Teacher,
    images: ImageSource,
    views: EpochViews,
    rdms: Mapping[str, RdmStack],
    stored: torch.dtype,
) -> LiveTargets:
    """The targets of the live teacher, and of RDMs behind it.

    Raises:
        InputError: The method needs logits, and the teacher has none.
        DataError: A class that has rows has no mean, and the method needs one.
    """
    context = partial(autocast, parts.device, teacher_precision(parts.precision, teacher.info.dtype))
    spec = live_spec(teacher, parts.samples.rows, views.count)
    reads = parts.method.reads({spec.name: spec} | {name: rdm_spec(name, rdm, spec) for name, rdm in rdms.items()})
    wanted = member(parts.method.needs, "class_mean")
    means = None if wanted is None else _live_means(parts, wanted, teacher, images, views, context)
    return LiveTargets(teacher, spec, reads, class_mean=means, rdms=rdms, stored=stored, autocast=context)


def _live_means(
    parts: Parts, wanted: str, teacher: Teacher, images: ImageSource, views: EpochViews, context: Autocast
) -> Tensor:
    """As a seal computes them: over view 0 of the first rows of each class."""
    classes, labels = parts.samples.classes, parts.labels
    assert classes is not None
    assert labels is not None
    rows = chosen_rows(labels, usable_rows(parts, images).astype(np.uint8), _per_class(parts, wanted))
    check_means(np.bincount(labels[rows], minlength=classes), labels[rows], parts.samples)
    batches = cut(rows, _MEAN_BATCH, drop_last=False)
    drawn = images.stream(batches, partial(views.base, epoch=0), teacher.info.input)
    with parts.events.task("class means of the live teacher", total=len(batches), unit="batches") as task:
        seen = _told(drawn, task)
        return live_class_means(teacher, seen, labels, classes, autocast=context).to(parts.device)


def _told(
    drawn: Iterator[tuple[NDArray[np.int64], tuple[Tensor, ...]]], task: Task
) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
    for rows, tensors in drawn:
        yield rows, tensors[0]
        task.advance()


def _record(parts: Parts) -> TargetRecord | None:
    """The target of the store beside which the teacher runs live, where there is one."""
    return None if parts.store is None else parts.store.targets().get(parts.config.target)


def _per_class(parts: Parts, wanted: str) -> int | None:
    """As many rows a class as the signal asks for, else as the store's own means have; None: all."""
    rows = per_class(wanted)
    if rows is not None:
        return None if rows == "all" else rows
    record = _record(parts)
    if record is None or "per_class" not in record.attributes:
        return PER_CLASS
    of_store: int | None = record.attributes["per_class"]
    return of_store


def usable_rows(parts: Parts, images: ImageSource, source: TargetSource | None = None) -> NDArray[np.bool_]:
    """Which rows could be decoded, now and for the store, have targets, and a label where it is needed; (N,)."""
    usable = np.ones(parts.samples.rows, np.bool_)
    if parts.labels is not None and parts.needs_label:
        usable &= parts.labels >= 0
    usable[list(images.failed)] = False
    if parts.store is not None:
        usable &= parts.store.sample_status() == DECODED
    if source is not None and source.usable is not None:
        usable &= source.usable
    return usable


def epoch_views(parts: Parts, images: ImageSource, teacher: Teacher | None, student: InputSpec) -> EpochViews:
    """The evaluation view is the store's, else the live teacher's, else the whole image squeezed to the student."""
    store = parts.store
    if store is not None:
        rule = stored_views(store).spec.view
    else:
        rule = EvalView(resize=(student.height, student.width)) if teacher is None else teacher.info.view
    return EpochViews(
        images.sizes,
        rule,
        stored=None if store is None else store.view_params(),
        augment=parse_augment(parts.config.student_augment),
        seed=parts.config.seed,
    )

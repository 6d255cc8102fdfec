"""A training put together: data compared, rows split, student, targets and loop, ready to run."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from teachonce.cache.classes import chosen_rows
from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord
from teachonce.data.memory import device_budget
from teachonce.data.resident import ImageSource, open_images
from teachonce.data.samples import Samples
from teachonce.data.views import parse_augment
from teachonce.engine.cached import CachedTargets
from teachonce.engine.device import Precision, make_accelerator, pick_device, pick_precision
from teachonce.engine.feed import Feed, cut
from teachonce.engine.guard import check_classes, check_data, check_means, require_labels
from teachonce.engine.live import LiveTargets, live_class_means
from teachonce.engine.loop import Loop, LoopConfig
from teachonce.engine.optim import learning_rate
from teachonce.engine.rows import Division, divide
from teachonce.engine.settings import TrainConfig
from teachonce.engine.step import Stepper
from teachonce.engine.targets import NoTargets, TargetSource
from teachonce.engine.views import EpochViews
from teachonce.events import SILENT, Events
from teachonce.methods.base import Method
from teachonce.models.student import Student
from teachonce.models.students import build_student
from teachonce.models.teacher import Teacher, load_teacher
from teachonce.types import DECODED, EvalView, InputSpec

PER_CLASS = 100  # rows of each class in its mean, where no store says otherwise
_MEAN_BATCH = 64


@dataclass(kw_only=True)
class Session:
    """A training that is ready.

    Measurements may step it by hand: `for batch in session.feed.batches(session.loop.batches(0), 0):
    session.stepper.step(batch, view=0)`.
    """

    config: TrainConfig
    samples: Samples
    loop: Loop
    stepper: Stepper
    feed: Feed
    rows: Division
    device: torch.device
    precision: Precision
    teacher: Teacher | None
    """Where it runs live."""


@dataclass(kw_only=True)
class _Parts:
    """What is known of a session while it is put together."""

    config: TrainConfig
    samples: Samples
    store: Store | None
    method: Method
    labels: NDArray[np.int32]
    device: torch.device
    precision: Precision
    events: Events


def open_session(
    config: TrainConfig,
    samples: Samples,
    store: Store | None,
    *,
    digests: NDArray[np.uint64],
    events: Events = SILENT,
    source: TargetSource | None = None,
) -> Session:
    """Check everything that can be wrong, then build what trains. Nothing is written.

    Args:
        config: The training.
        samples: The data.
        store: The store that `config` names, opened.
        digests: (N,) uint64, the identities of the rows.
        events: Who watches.
        source: Targets in place of those that the settings name, for measurements.

    Raises:
        TeachonceError: What is wrong, and the mend; see the classes in `teachonce.errors`.
    """
    method, device = config.make_method(), pick_device(config.device)
    parts = _Parts(
        config=config,
        samples=samples,
        store=store,
        method=method,
        labels=require_labels(samples, f"method {config.method}"),
        device=device,
        precision=pick_precision(config.precision, device),
        events=events,
    )
    guard = None if store is None else check_data(store, samples, every=False)
    teacher = _live_teacher(parts)
    cached = _cached(parts) if source is None and teacher is None and method.needs.teacher else None
    student = _student(parts)
    images = open_images(samples, device=device, workers=config.workers, events=events)
    if guard is not None and images.resident:
        guard.check_start(every=True, events=events)
    views = _views(parts, images, teacher, student.input)
    rows = _divide(parts, images, digests)
    source = source or cached or _live(parts, teacher, images, views) or NoTargets()
    stepper = _stepper(parts, student, source, rows)
    feed = Feed(
        images,
        parts.labels,
        views,
        student=student.input,
        teacher=source.input,
        device=device,
        guard=guard,
    )
    loop = _loop(parts, stepper, feed, rows)
    return Session(
        config=config,
        samples=samples,
        loop=loop,
        stepper=stepper,
        feed=feed,
        rows=rows,
        device=device,
        precision=parts.precision,
        teacher=teacher,
    )


def _live_teacher(parts: _Parts) -> Teacher | None:
    if parts.config.source != "live" or not parts.method.needs.teacher:
        return None
    assert parts.config.teacher is not None
    record = _record(parts)
    embedding = "auto" if record is None else record.attributes.get("embedding", "auto")
    teacher = load_teacher(
        parts.config.teacher,
        device=parts.device,
        embedding=embedding if embedding in ("cls", "pooler", "mean", "projected") else "auto",
        classes=parts.samples.classes,
    )
    if record is not None and record.fingerprint_fields.get("teacher", {}).get("weights") != teacher.info.weights:
        parts.events.warn(f"the live teacher has other weights than the one that made target {record.name!r}")
    if parts.method.needs.logits:
        check_classes("the teacher", teacher.info.classes, teacher.info.class_names, parts.samples)
    return teacher


def _cached(parts: _Parts) -> CachedTargets:
    assert parts.store is not None
    method, target = parts.method, parts.config.target
    budget = device_budget(parts.device)
    source = CachedTargets(
        parts.store, target, method.needs, device=parts.device, budget_bytes=budget, method=f"method {method.name}"
    )
    if method.needs.logits:
        check_classes(f"target {target!r}", source.spec.classes, source.spec.class_names, parts.samples)
    if source.class_counts is not None:
        check_means(source.class_counts, parts.samples)
    return source


def _live(parts: _Parts, teacher: Teacher | None, images: ImageSource, views: EpochViews) -> LiveTargets | None:
    if teacher is None:
        return None
    autocast = make_accelerator(parts.device, parts.precision).autocast
    means = None
    if parts.method.needs.class_mean:
        assert parts.samples.classes is not None
        rows = chosen_rows(parts.labels, _usable(parts, images).astype(np.uint8), _per_class(parts))
        check_means(np.bincount(parts.labels[rows], minlength=parts.samples.classes), parts.samples)
        batches = images.stream(
            cut(rows, _MEAN_BATCH, drop_last=False), partial(views.base, epoch=0), teacher.info.input
        )
        seen = ((part, drawn[0]) for part, drawn in batches)
        means = live_class_means(teacher, seen, parts.labels, parts.samples.classes, autocast=autocast).to(parts.device)
    return LiveTargets(
        teacher, parts.method.needs, rows=parts.samples.rows, views=views.count, class_mean=means, autocast=autocast
    )


def _record(parts: _Parts) -> TargetRecord | None:
    """The target of the store beside which the teacher runs live, where there is one."""
    return None if parts.store is None else parts.store.targets().get(parts.config.target)


def _per_class(parts: _Parts) -> int | None:
    """As many rows a class as the store's own means have."""
    record = _record(parts)
    if record is None or "per_class" not in record.attributes:
        return PER_CLASS
    per_class: int | None = record.attributes["per_class"]
    return per_class


def _usable(parts: _Parts, images: ImageSource) -> NDArray[np.bool_]:
    usable = parts.labels >= 0
    usable[list(images.failed)] = False
    if parts.store is not None:
        usable &= parts.store.sample_status() == DECODED
    return usable


def _divide(parts: _Parts, images: ImageSource, digests: NDArray[np.uint64]) -> Division:
    config = parts.config
    rows = divide(
        digests, _usable(parts, images), seed=config.seed, fraction=config.val_fraction, batch_size=config.batch_size
    )
    if rows.left_out:
        parts.events.warn(f"{rows.left_out} rows are left out: they could not be decoded, or have no label")
    return rows


def _views(parts: _Parts, images: ImageSource, teacher: Teacher | None, student: InputSpec) -> EpochViews:
    """The evaluation view is the store's, else the live teacher's, else the whole image squeezed to the student."""
    store = parts.store
    if store is not None:
        rule = EvalView.from_json(store.spec.views_spec["view"])
    else:
        rule = EvalView(resize=(student.height, student.width)) if teacher is None else teacher.info.view
    return EpochViews(
        images.sizes,
        rule,
        stored=None if store is None else store.view_params(),
        augment=parse_augment(parts.config.student_augment),
        seed=parts.config.seed,
    )


def _student(parts: _Parts) -> Student:
    config, classes = parts.config, parts.samples.classes
    assert classes is not None
    return build_student(config.student, classes=classes, image_size=config.image_size, seed=config.seed)


def _stepper(parts: _Parts, student: Student, source: TargetSource, rows: Division) -> Stepper:
    config = parts.config
    modules = parts.method.build(student, source.spec, seed=config.seed)
    modules.to(parts.device).train()
    steps = len(cut(rows.train, config.batch_size, drop_last=True))
    return Stepper(
        student.to(parts.device).train(),
        parts.method,
        source,
        make_accelerator(parts.device, parts.precision),
        config.optim,
        rate=partial(learning_rate, config.optim, steps_per_epoch=steps, epochs=config.epochs),
        compile=config.compile,
        cuda_graphs=config.cuda_graphs,
    )


def _loop(parts: _Parts, stepper: Stepper, feed: Feed, rows: Division) -> Loop:
    config = parts.config
    settings = LoopConfig(
        run=config.out,
        epochs=config.epochs,
        batch_size=config.batch_size,
        seed=config.seed,
        class_names=parts.samples.class_names,
        view=feed.views.rule,
    )
    return Loop(settings, stepper, feed, train=rows.train, val=rows.val, events=parts.events)

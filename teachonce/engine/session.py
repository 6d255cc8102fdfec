"""A training put together: data compared, rows split, student, targets and loop, ready to run."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from teachonce.cache.store import Store
from teachonce.data.resident import ImageSource, open_images
from teachonce.data.samples import Samples
from teachonce.engine.classes import require_labels
from teachonce.engine.datacheck import check_data
from teachonce.engine.device import Precision, autocast, pick_device, pick_precision
from teachonce.engine.feed import Batch, Feed, cut
from teachonce.engine.loop import Loop, LoopConfig
from teachonce.engine.optim import learning_rate
from teachonce.engine.outputs import head_order, tell_nameless
from teachonce.engine.parts import Parts, epoch_views, live_teacher, usable_rows
from teachonce.engine.records import Epoch, Progress
from teachonce.engine.rows import Division, divide
from teachonce.engine.settings import method_of
from teachonce.engine.sources import cached_source, live_source
from teachonce.engine.stage_one.views import stored_rule
from teachonce.engine.step import Stepper
from teachonce.engine.student import Best, StudentTrainer
from teachonce.engine.targets import NoTargets, TargetSource
from teachonce.engine.validation import validation
from teachonce.events import SILENT, Events
from teachonce.models.initial import Initial, initialise, source_classes
from teachonce.models.student import Student
from teachonce.models.students import build_student
from teachonce.models.teacher import TeacherInfo
from teachonce.options.train import TrainOptions
from teachonce.types import Resizing

StudentLoop = Loop[Batch, Epoch, Progress]


@dataclass(kw_only=True)
class Session:
    """A training that is ready.

    Measurements may step it by hand: `for batch in session.feed.batches(session.loop.batches(0), 0):
    session.stepper.step(batch, view=0)`.
    """

    config: TrainOptions
    samples: Samples
    loop: StudentLoop
    stepper: Stepper
    feed: Feed
    rows: Division
    device: torch.device
    precision: Precision
    teacher: TeacherInfo | None
    """Of the live one."""
    initial: Initial | None
    """What the student was initialised from; None: random weights."""
    class_names: tuple[str, ...] | None
    """Of the student's logits."""


def open_session(
    config: TrainOptions,
    samples: Samples,
    store: Store | None,
    *,
    digests: NDArray[np.uint64],
    events: Events = SILENT,
    rule: Resizing | None = None,
    target_budget: int | None = None,
    epoch_rows: int | None = None,
) -> Session:
    """Check everything that can be wrong, then build what trains. Nothing is written.

    Args:
        config: The training.
        samples: The data.
        store: The store that `config` names, opened.
        digests: (N,) uint64, the identities of the rows.
        events: Who watches.
        rule: How views are resized without a store, whose own is kept; None: as the installed Pillow does.
        target_budget: Bytes of the device's memory that cached targets may take; None: see `budget_for_targets`.
        epoch_rows: Keep targets where those of so many rows would be kept, for measurements on a few of them.

    Raises:
        TeachonceError: What is wrong, and the mend; see the classes in `teachonce.errors`.
    """
    method, device = method_of(config), pick_device(config.device)
    parts = Parts(
        config=config,
        samples=samples,
        store=store,
        method=method,
        labels=samples.labels if "label" not in method.inputs else require_labels(samples, f"method {config.method}"),
        device=device,
        precision=pick_precision(config.precision, device),
        events=events,
        target_budget=target_budget,
        epoch_rows=epoch_rows,
    )
    check = None if store is None else check_data(store, samples, every=False)
    teacher = live_teacher(parts)
    parts.name_classes(teacher)
    student, initial = _student(parts)
    parts.student_bytes = sum(p.nbytes for p in student.parameters()) * (1 + config.states)
    source: TargetSource | None = None
    if method.needs and teacher is None:
        source = cached_source(parts)
    kept = rule if store is None else stored_rule(store)
    images = open_images(samples, device=device, workers=config.workers, rule=kept, events=events)
    if check is not None and images.resident:
        check.check_start(every=True, events=events)
    views = epoch_views(parts, images, teacher, student.input)
    rows = _divide(parts, images, digests, source)
    if source is None:
        source = NoTargets() if teacher is None else live_source(parts, teacher, images, views)
    stepper = _stepper(parts, student, source, rows)
    feed = Feed(
        images,
        parts.labels,
        views,
        student=student.input,
        teacher=source.input,
        device=device,
        check=check,
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
        teacher=None if teacher is None else teacher.info,
        initial=initial,
        class_names=None if parts.class_names is None else tuple(parts.class_names),
    )


def _divide(parts: Parts, images: ImageSource, digests: NDArray[np.uint64], source: TargetSource | None) -> Division:
    config, usable = parts.config, usable_rows(parts, images, source)
    rows = divide(digests, usable, seed=config.seed, fraction=config.val_fraction, batch_size=config.batch_size)
    if rows.left_out:
        parts.events.warn(f"{rows.left_out} rows are left out: {parts.left_out}")
    return rows


def _student(parts: Parts) -> tuple[Student, Initial | None]:
    config = parts.config
    student = build_student(
        config.student,
        classes=parts.classes,
        image_size=config.image_size,
        seed=config.seed,
        trust_remote_code=config.trust_remote_code,
    )
    if config.init is None:
        return student, None
    trusts = config.trust_remote_code
    order = head_order(source_classes(config.init, trust_remote_code=trusts), parts.samples)
    initial = initialise(student, config.init, order=order, with_head=order != [], trust_remote_code=trusts)
    parts.events.info(initial.text())
    if initial.head and order is None:
        tell_nameless(f"the classes of {config.init}", parts.samples, parts.events)
    if initial.unused:
        first = ", ".join(initial.unused[:3])
        parts.events.warn(
            f"{len(initial.unused)} tensors of {config.init} are not used, the student does not have them: {first}"
        )
    return student, initial


def _stepper(parts: Parts, student: Student, source: TargetSource, rows: Division) -> Stepper:
    config = parts.config
    labels = parts.labels is not None and bool((parts.labels[rows.train] >= 0).all())
    modules = parts.method.build(student, source.specs, seed=config.seed, labels=labels)
    modules.to(parts.device).train()
    for note in parts.method.notes:
        parts.events.info(note)
    steps = len(cut(rows.train, config.batch_size, drop_last=True))
    return Stepper(
        student.to(parts.device).train(),
        parts.method,
        source,
        partial(autocast, parts.device, parts.precision),
        config,
        rate=partial(learning_rate, config, steps_per_epoch=steps, epochs=config.epochs),
        compile=config.compile,
        cuda_graphs=config.cuda_graphs and parts.device.type == "cuda",
    )


def _loop(parts: Parts, stepper: Stepper, feed: Feed, rows: Division) -> StudentLoop:
    config = parts.config
    best = Best(folder=config.out / "best", class_names=parts.class_names, view=feed.views.rule)
    checked = validation(feed, rows.val, parts.labels)
    trainer = StudentTrainer(stepper, feed, validation=checked, best=best, events=parts.events)
    settings = LoopConfig(run=config.out, epochs=config.epochs, batch_size=config.batch_size, seed=config.seed)
    return Loop(settings, trainer, rows.train, parts.events)

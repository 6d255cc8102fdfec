"""What a run says about itself: the settings that tell it from others, its origins, and what had no effect."""

import sys
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.identity import first_difference
from teachonce.cache.store import Store
from teachonce.data.samples import Samples
from teachonce.engine.device import pick_device, pick_precision, warn_tf32
from teachonce.engine.evalfile import data_content
from teachonce.engine.extras import identify_extras
from teachonce.engine.machine import this_machine
from teachonce.engine.records import Fingerprint, Origin, Rows, RunRecord, Settings, StoreContent, StorePlace
from teachonce.engine.runfile import versions
from teachonce.engine.session import Session
from teachonce.engine.settings import method_of
from teachonce.errors import MismatchError
from teachonce.events import Events
from teachonce.models.initial import initial_digest
from teachonce.models.macs import count_macs
from teachonce.options.identity import values_of
from teachonce.options.train import TrainOptions
from teachonce.records import parse, to_json


def identify(config: TrainOptions, samples: Samples, store: Store | None, digests: NDArray[np.uint64]) -> Settings:
    """What a run is compared by when its folder is named again.

    Every option is part of it, by its value or by the content that it names, but places and the machine.

    Args:
        config: The training.
        samples: Its data.
        store: Its store.
        digests: (N,) uint64, the identities of the rows.

    Raises:
        StoreMissingError: The store has no such target.
        UnsealedError: The store or its target is not finished.
    """
    method = method_of(config)
    is_live = config.source == "live" and bool(method.needs)
    given = values_of(config) | {
        **_chosen(config, is_live),
        "weight_decay": config.decay,
        "density_lr": config.density_scale,
        "precision": pick_precision(config.precision, pick_device(config.device)),
    }
    declared = {name: given.pop(name) for name in ("student", "method", "source", "epochs", "batch_size", "seed")}
    return Settings(
        **declared,
        settings=method.values(),
        data=data_content(samples, digests),
        store=None if store is None else _store(store, config, needs_target=bool(method.needs) and not is_live),
        teacher=config.teacher if is_live else None,
        others=given,
    )


def _chosen(config: TrainOptions, is_live: bool) -> dict[str, object]:
    """Where it is not the default; runs of before there was a choice have none of these."""
    chosen: dict[str, object] = {}
    if is_live and config.teacher_dtype != "float32":
        chosen["teacher_dtype"] = config.teacher_dtype
    if config.init is not None:
        chosen["init"] = initial_digest(config.init, trust_remote_code=config.trust_remote_code)
    if config.tf32:
        chosen["tf32"] = True
    return chosen


def _store(store: Store, config: TrainOptions, *, needs_target: bool) -> StoreContent:
    """The store's content, not its place: its views, and the target where it is read."""
    store.sample_status()  # says so where the samples are not sealed
    extras = identify_extras(store, config)
    content = StoreContent(
        samples=store.samples_seal["journal"],
        rdm=extras if config.rdm else None,
        assistants=extras if config.assistants else None,
    )
    if not needs_target:
        return content
    record = store.sealed(config.target)
    seal = record.seal
    return replace(content, target=record.fingerprint, content=seal["journal"], per_class=seal["per_class"])


def describe(session: Session, settings: Settings, store: Store | None) -> RunRecord:
    """The run.json of a session. What computed it and which command began it are told, and make no other run of it."""
    config, samples, rows = session.config, session.samples, session.rows
    return RunRecord(
        settings=settings,
        student=config.student,
        init=session.initial,
        macs=count_macs(session.stepper.student, session.stepper.student.input),
        classes=session.stepper.student.classes,
        class_names=session.class_names,
        input=session.stepper.student.input,
        view=session.feed.views.rule,
        views=session.feed.views.count,
        resizing=session.feed.images.rule,
        targets=_targets(session),
        data=samples.description,
        store=None if store is None else _place(store, config.target),
        teacher=_fingerprint(session),
        rows=Rows(train=len(rows.train), val=len(rows.val), left_out=rows.left_out),
        device=str(session.device),
        machine=this_machine(session.device),
        versions=versions(),
        command=tuple(sys.argv),
    )


def _place(store: Store, target: str) -> StorePlace:
    """Where the store lies, and which teacher its target is of."""
    record = store.targets().get(target)
    teacher = None if record is None else record.attributes.get("teacher")
    return StorePlace(path=str(store.path), target=target, teacher=teacher)


def _fingerprint(session: Session) -> Fingerprint | None:
    if session.teacher is None:
        return None
    return parse(Fingerprint, session.teacher.fingerprint(), "the teacher", mend="")


def refuse_other_teacher(known: RunRecord, session: Session) -> None:
    """Compare the live teacher itself with the one that a run was begun with; its name is compared before.

    Raises:
        MismatchError: Names what differs.
    """
    old, new = (None if each is None else to_json(each) for each in (known.teacher, _fingerprint(session)))
    found = first_difference(old, new, dotted=True)
    if found is not None:
        message = f"{session.config.out} was begun with another live teacher: its {found[0]} differ"
        raise MismatchError(message, "Use the teacher it was begun with, or choose another --out")


def _targets(session: Session) -> Literal["none", "exact", "fixed-teacher"]:
    if not session.stepper.method.needs:
        return "none"
    return "fixed-teacher" if session.feed.views.augmented else "exact"


def warn_unused(config: TrainOptions, store: Store | None, events: Events) -> None:
    """Say which settings have no effect; a store always has one, its views."""
    needs_teacher = method_of(config).needs
    if config.teacher is not None and not (needs_teacher and config.source == "live"):
        events.warn("the teacher has no effect: it is used by --source live, with a method that needs one")
    if config.teacher_dtype != "float32" and not (needs_teacher and config.source == "live"):
        events.warn("--teacher-dtype has no effect: it applies to the live teacher, not to a store")
    _warn_head(config, events)
    if config.source == "live" and not needs_teacher:
        events.warn(f"--source live has no effect: method {config.method} needs no teacher")
    if store is not None and not needs_teacher:
        views = "its views are used" if _has_views(store) else "its views are the whole image"
        events.info(f"method {config.method} needs no targets of the store; {views}")
    if config.cuda_graphs and pick_device(config.device).type != "cuda":
        events.warn("--cuda-graphs has no effect on a CPU")
    device = pick_device(config.device)
    warn_tf32(config.tf32, device, pick_precision(config.precision, device) == "bf16", events)


def _warn_head(config: TrainOptions, events: Events) -> None:
    if config.rdm_logits != "head":
        return
    if not config.rdm:
        events.warn("--rdm-logits has no effect without --rdm")
    elif config.source == "live":
        events.warn("--rdm-logits has no effect: the RDMs run live")
    elif "logits" not in method_of(config).needs:
        events.warn(f"--rdm-logits has no effect: with these settings method {config.method} reads no logits")


def _has_views(store: Store) -> bool:
    """Whether the store's views are others than the whole image, which is what one sees without a store."""
    params = store.view_params()
    whole = np.array([0, 0, 1, 1, 0, 0], np.float32)
    return bool(((params != whole) & ~np.isnan(params)).any())


def warn_versions(known: Origin, events: Events) -> None:
    """Say which libraries have changed since a run was begun."""
    now, then = versions(), known.versions or {}
    changed = [f"{name} {then.get(name)} -> {now[name]}" for name in now if then.get(name) != now[name]]
    if changed:
        events.warn(f"the run was begun with other versions ({', '.join(changed)}): its numbers may differ slightly")

"""What a run says about itself: the settings that tell it from others, its origins, and what had no effect."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.store import Store
from teachonce.data.samples import Samples
from teachonce.digests import digest_hex
from teachonce.engine.device import pick_device, pick_precision, warn_tf32
from teachonce.engine.extras import identify_extras
from teachonce.engine.machine import this_machine
from teachonce.engine.runfile import first_difference, versions
from teachonce.engine.session import Session
from teachonce.engine.settings import method_of
from teachonce.engine.stage_one.contents import labels_digest
from teachonce.errors import MismatchError
from teachonce.events import Events
from teachonce.models.initial import initial_digest
from teachonce.models.macs import count_macs
from teachonce.options.identity import values_of
from teachonce.options.train import TrainOptions


def identify(
    config: TrainOptions, samples: Samples, store: Store | None, digests: NDArray[np.uint64]
) -> dict[str, Any]:
    """What a run is compared by when its folder is named again, as JSON.

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
    is_live = config.source == "live" and method.needs.teacher
    return {
        **values_of(config),
        "settings": asdict(method.settings),
        "data": {
            "rows": samples.rows,
            "identities": digest_hex(digests.tobytes()),
            "labels": labels_digest(samples.labels),
        },
        "store": None if store is None else _store(store, config, needs_target=method.needs.teacher and not is_live),
        "teacher": config.teacher if is_live else None,
        **_chosen(config, is_live),
        "weight_decay": config.decay,
        "density_lr": config.density_scale,
        "precision": pick_precision(config.precision, pick_device(config.device)),
    }


def _chosen(config: TrainOptions, is_live: bool) -> dict[str, Any]:
    """Where it is not the default; runs of before there was a choice have none of these."""
    chosen: dict[str, Any] = {}
    if is_live and config.teacher_dtype != "float32":
        chosen["teacher_dtype"] = config.teacher_dtype
    if config.init is not None:
        chosen["init"] = initial_digest(config.init, trust_remote_code=config.trust_remote_code)
    if config.tf32:
        chosen["tf32"] = True
    return chosen


def _store(store: Store, config: TrainOptions, *, needs_target: bool) -> dict[str, Any]:
    """The store's content, not its place: its views, and the target where it is read."""
    store.sample_status()  # says so where the samples are not sealed
    content: dict[str, Any] = {"samples": store.samples_seal["journal"]}
    if needs_target:
        record = store.sealed(config.target)
        content |= {
            "target": record.fingerprint,
            "content": record.seal["journal"],
            "per_class": record.seal["per_class"],
        }
    return content | identify_extras(store, config)


def describe(session: Session, settings: Mapping[str, Any], store: Store | None) -> dict[str, Any]:
    """The run.json of a session: `settings`, and all that evaluating or reusing the student needs.

    `macs` are the multiply-accumulates of the student's forward pass of one sample. What computed it and which command
    began it are told, and make no other run of it.
    """
    config, samples = session.config, session.samples
    return {
        "settings": dict(settings),
        "student": config.student,
        "init": None if session.initial is None else asdict(session.initial),
        "macs": count_macs(session.stepper.student, session.stepper.student.input),
        "classes": samples.classes,
        "class_names": None if samples.class_names is None else list(samples.class_names),
        "input": session.stepper.student.input.to_json(),
        "view": session.feed.views.rule.to_json(),
        "views": session.feed.views.count,
        "resizing": session.feed.images.rule,
        "targets": _targets(session),
        "data": dict(samples.description),
        "store": None if store is None else _origin(store, config.target),
        "teacher": None if session.teacher is None else session.teacher.fingerprint(),
        "rows": {"train": len(session.rows.train), "val": len(session.rows.val), "left_out": session.rows.left_out},
        "device": str(session.device),
        "machine": this_machine(session.device).to_json(),
        "command": list(sys.argv),
    }


def _origin(store: Store, target: str) -> dict[str, Any]:
    """Where the store lies, and which teacher its target is of."""
    record = store.targets().get(target)
    origin = {"path": str(store.path), "target": target}
    return origin if record is None else {**origin, "teacher": record.attributes.get("teacher")}


def refuse_other_teacher(known: Mapping[str, Any], session: Session) -> None:
    """Compare the live teacher itself with the one that a run was begun with; its name is compared before.

    Raises:
        MismatchError: Names what differs.
    """
    now = None if session.teacher is None else json.loads(json.dumps(session.teacher.fingerprint()))
    found = first_difference(known.get("teacher"), now)
    if found is not None:
        message = f"{session.config.out} was begun with another live teacher: its {found[0]} differ"
        raise MismatchError(message, "Use the teacher it was begun with, or choose another --out")


def _targets(session: Session) -> str:
    """`none`; `exact`: of the view the student sees; `fixed-teacher`: of it without the student's augmentation."""
    if not session.stepper.method.needs.teacher:
        return "none"
    return "fixed-teacher" if session.feed.views.augmented else "exact"


def warn_unused(config: TrainOptions, store: Store | None, events: Events) -> None:
    """Say which settings have no effect; a store always has one, its views."""
    needs_teacher = method_of(config).needs.teacher
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
    elif not method_of(config).needs.logits:
        events.warn(f"--rdm-logits has no effect: with these settings method {config.method} reads no logits")


def _has_views(store: Store) -> bool:
    """Whether the store's views are others than the whole image, which is what one sees without a store."""
    params = store.view_params()
    whole = np.array([0, 0, 1, 1, 0, 0], np.float32)
    return bool(((params != whole) & ~np.isnan(params)).any())


def warn_versions(known: Mapping[str, Any], events: Events) -> None:
    """Say which libraries have changed since a run was begun."""
    now, then = versions(), known.get("versions", {})
    changed = [f"{name} {then.get(name)} -> {now[name]}" for name in now if then.get(name) != now[name]]
    if changed:
        events.warn(f"the run was begun with other versions ({', '.join(changed)}): its numbers may differ slightly")

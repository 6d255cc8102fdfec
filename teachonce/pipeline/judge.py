"""What is to be done about one step, found out without doing it: run, reuse or refuse, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Literal

from teachonce.cache.store import Store, open_store
from teachonce.engine.describe import identify
from teachonce.engine.device import pick_compute_dtype, pick_device
from teachonce.engine.optim import OptimConfig
from teachonce.engine.runfile import check_folder, read_result, read_run, refuse_others
from teachonce.engine.settings import TrainConfig
from teachonce.engine.stage_one.conduct import is_complete
from teachonce.engine.stage_one.job import Job, store_at
from teachonce.engine.stage_one.options import Request
from teachonce.engine.stage_one.stored import check_digests
from teachonce.errors import InputError, StoreError
from teachonce.models.teacher import load_teacher
from teachonce.pipeline.evaluations import recorded
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.reporting import reported
from teachonce.pipeline.steps import Step
from teachonce.stages.embed import embed

Action = Literal["run", "reuse", "refuse"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What to do about a step.

    Attributes:
        result: Of a step that is reused.
    """

    action: Action
    reason: str
    result: Mapping[str, Any] | None = None


def train_config(step: Step) -> TrainConfig:
    """The training that a step asks for."""
    options = dict(step.options)
    optim = {name: options[name] for name in OptimConfig.__dataclass_fields__ if name in options}
    if "milestones" in optim:
        optim["milestones"] = tuple(optim["milestones"])
    rest = {name: options[name] for name in TrainConfig.__dataclass_fields__ if name in options}
    rest |= {name: Path(rest[name]) for name in ("out", "store") if name in rest}
    return TrainConfig(**rest, optim=OptimConfig(**optim))


def judge_training(step: Step, facts: Facts) -> Verdict:
    """A finished run of the same settings is reused; one of other settings is refused.

    Raises:
        TeachonceError: The data or the store cannot be read.
    """
    config = train_config(step)
    try:
        check_folder(config.out)
        known = read_run(config.out)
        if known is None:
            return Verdict(action="run", reason="there is no such run yet")
        store = None if config.store is None else open_store(config.store)
        refuse_others(
            config.out, known, identify(config, facts.samples(step.options), store, _digests(step, store, facts))
        )
        result = read_result(config.out)
    except (StoreError, InputError) as error:
        return Verdict(action="refuse", reason=error.message)
    if result is None:
        return Verdict(action="run", reason="it was begun with the same settings and resumes")
    return Verdict(action="reuse", reason="finished with the same settings", result={**result, "run": str(config.out)})


def _digests(step: Step, store: Store | None, facts: Facts) -> Any:
    return facts.digests(step.options) if store is None else store.digests()


def judge_embed(step: Step, facts: Facts) -> Verdict:
    """A sealed target of the same fingerprint and data is reused; another one is refused.

    Raises:
        TeachonceError: The data or the teacher cannot be used.
    """
    try:
        store = store_at(Path(step.options["store"]))
        if store is None:
            return Verdict(action="run", reason="there is no store yet")
        job = make_job(step, store, facts)
        job.check()
        check_digests(store, job.samples, facts.events)
    except StoreError as error:
        return Verdict(action="refuse", reason=error.message)
    if job.record is None:
        return Verdict(action="run", reason=f"the store has no target {job.request.name}")
    if is_complete(job):
        return Verdict(action="reuse", reason=f"sealed, fingerprint {job.record.fingerprint[:12]}")
    reason = "its class means are from other rows" if job.record.sealed else "it was begun and resumes"
    return Verdict(action="run", reason=f"{reason}: {job.record.blocks_done} of {job.record.blocks} blocks are done")


def make_job(step: Step, store: Store, facts: Facts) -> Job:
    """The teacher pass that a step asks for; the teacher is loaded on the CPU."""
    options = {name: p.default for name, p in signature(embed).parameters.items()} | dict(step.options)
    if options["per_class"] == "all":
        options["per_class"] = None
    samples = facts.samples(step.options)
    loading = ("embedding", "trust_remote_code", "revision", "image_size", "seed")
    given = {name: options[name] for name in loading}
    given |= {"dtype": options["teacher_dtype"], "device_map": options["teacher_device_map"]}
    teacher = load_teacher(options["teacher"], classes=samples.classes, **given)
    device = pick_device(options["device"])
    return Job(
        request=Request(**{name: options[name] for name in Request.__dataclass_fields__}),
        path=store.path,
        samples=samples,
        teacher=teacher,
        device=device,
        compute_dtype=pick_compute_dtype(options["precision"], device, teacher.info.dtype),
        store=store,
    )


def judge_evaluation(step: Step, facts: Facts) -> Verdict:
    """The record of the same weights on the same data is reused."""
    result = recorded(step, facts)
    if result is None:
        return Verdict(action="run", reason="not measured yet")
    return Verdict(action="reuse", reason="already measured on the same data", result=result)


def judge_report(step: Step) -> Verdict:
    """A report that tells what the runs hold is reused."""
    result = reported(step)
    if result is None:
        return Verdict(action="run", reason="not written yet, or written from other results")
    return Verdict(action="reuse", reason="written from the same results", result=result)

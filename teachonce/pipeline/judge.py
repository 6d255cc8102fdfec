"""What is to be done about one step, found out without doing it: run, reuse or refuse, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from teachonce.cache.store import Store, open_store
from teachonce.engine.describe import identify
from teachonce.engine.device import pick_compute_dtype, pick_device
from teachonce.engine.records import Settings
from teachonce.engine.runfile import check_folder, read_result, read_run, refuse_others
from teachonce.engine.stage_one.conduct import is_complete
from teachonce.engine.stage_one.job import Job, store_at
from teachonce.engine.stage_one.options import check_pass
from teachonce.engine.stage_one.stored import check_digests
from teachonce.errors import InputError, StoreError
from teachonce.models.teacher import load_teacher
from teachonce.options.embed import EmbedOptions
from teachonce.options.make import make
from teachonce.options.train import TrainOptions
from teachonce.pipeline.evaluations import recorded
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.reporting import reported
from teachonce.pipeline.steps import Step
from teachonce.records import to_json

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


def train_options(step: Step) -> TrainOptions:
    """The training that a step asks for."""
    return make(TrainOptions, step.options)


def judge_training(step: Step, facts: Facts) -> Verdict:
    """A finished run of the same settings is reused; one of other settings is refused.

    Raises:
        TeachonceError: The data or the store cannot be read.
    """
    config = train_options(step)
    try:
        check_folder(config.out)
        known = read_run(config.out)
        if known is None:
            return Verdict(action="run", reason="there is no such run yet")
        refuse_others(config.out, known, identity_of(step, facts))
        result = read_result(config.out)
    except (StoreError, InputError) as error:
        return Verdict(action="refuse", reason=error.message)
    if result is None:
        return Verdict(action="run", reason="it was begun with the same settings and resumes")
    return Verdict(
        action="reuse", reason="finished with the same settings", result=to_json(replace(result, run=str(config.out)))
    )


def identity_of(step: Step, facts: Facts) -> Settings:
    """What tells a training from others: its settings, data and targets.

    Raises:
        TeachonceError: The data or the store cannot be read.
    """
    config, samples = train_options(step), facts.samples(step.options)
    store = None if config.store is None else open_store(config.store)
    digests = facts.digests(step.options) if store is None else store.digests()
    return identify(config, samples, store, digests)


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
        check_digests(job.data, facts.events)
    except StoreError as error:
        return Verdict(action="refuse", reason=error.message)
    if job.record is None:
        return Verdict(action="run", reason=f"the store has no target {job.options.name}")
    if is_complete(job):
        return Verdict(action="reuse", reason=f"sealed, fingerprint {job.record.fingerprint[:12]}")
    reason = "its class means are from other rows" if job.record.sealed else "it was begun and resumes"
    return Verdict(action="run", reason=f"{reason}: {job.record.blocks_done} of {job.record.blocks} blocks are done")


def make_job(step: Step, store: Store, facts: Facts) -> Job:
    """The teacher pass that a step asks for; the teacher is loaded on the CPU."""
    options = make(EmbedOptions, step.options)
    check_pass(options)
    samples = facts.samples(step.options)
    teacher = load_teacher(
        str(options.teacher),
        dtype=options.teacher_dtype,
        device_map=options.teacher_device_map,
        embedding=options.embedding,
        trust_remote_code=options.trust_remote_code,
        revision=options.revision,
        image_size=options.image_size,
        classes=samples.classes,
        seed=options.seed,
    )
    device = pick_device(options.device)
    return Job(
        options=options,
        samples=samples,
        teacher=teacher,
        device=device,
        compute_dtype=pick_compute_dtype(options.precision, device, teacher.info.dtype),
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

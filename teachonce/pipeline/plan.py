"""The plan of a run: for each step run, reuse or refuse, with its reason. Nothing is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachonce.cache.targets import target_names
from teachonce.data.samples import Samples
from teachonce.engine.classes import labels_for, require_labels
from teachonce.engine.rdm.settings import check_rdm
from teachonce.engine.settings import check_training
from teachonce.engine.stage_one.job import store_at
from teachonce.errors import InputError, ModelError, StoreMissingError
from teachonce.models.initial import initialise
from teachonce.models.students import build_student
from teachonce.options.make import make
from teachonce.options.rdm import RdmOptions
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.judge import Verdict, judge_embed, judge_evaluation, judge_report, judge_training, train_options
from teachonce.pipeline.judge_rdm import judge_rdm
from teachonce.pipeline.recipe import Recipe
from teachonce.pipeline.steps import Step, make_steps, makers
from teachonce.reports.write import check_outs


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A step, and what is to be done about it."""

    step: Step
    verdict: Verdict


def make_plan(recipe: Recipe, facts: Facts) -> list[Planned]:
    """Judge every step, in order. What waits for an earlier step that runs cannot be known better than `run`.

    Raises:
        InputError: Trainings whose settings cannot be used, all of them in one line; steps that need each other.
        StoreMissingError: Targets that are nowhere, all of them in one line.
        ModelError: Students that cannot be built, all of them in one line.
        TeachonceError: Data or a teacher that cannot be used.
    """
    steps = make_steps(recipe)
    check_settings(steps)
    check_targets(steps, makers(recipe, steps))
    _check_report(steps)
    _check_test_data(steps, facts)
    planned: list[Planned] = []
    running: set[str] = set()
    for step in steps:
        verdict = _waits(step, running) or _judge(step, facts)
        if verdict.action == "run":
            running.add(step.name)
        planned.append(Planned(step=step, verdict=verdict))
    _check_students(planned, facts)
    return planned


def _check_students(planned: list[Planned], facts: Facts) -> None:
    """Build each student that will be trained once: better now than after the trainings before it."""
    wanted: dict[tuple[Any, ...], Step] = {}
    for plan in planned:
        if plan.step.verb == "train" and plan.verdict.action == "run":
            key = tuple(plan.step.options.get(name) for name in ("student", "image_size", "init"))
            wanted.setdefault(key, plan.step)
    problems = []
    for (student, size, init), step in wanted.items():
        try:
            trusts = step.options.get("trust_remote_code", False)
            classes = facts.samples(step.options).classes or 2
            built = build_student(student, classes=classes, image_size=size, trust_remote_code=trusts)
            if init is not None:
                initialise(built, init, trust_remote_code=trusts)
        except ModelError as error:
            problems.append(error)
    if problems:
        raise ModelError("; ".join(error.message for error in problems), problems[0].mend)


def _check_report(steps: list[Step]) -> None:
    """Whether it can be written: better now than when everything else is done."""
    for step in steps:
        if step.verb == "report":
            check_outs(step.options["out"])


def _check_test_data(steps: list[Step], facts: Facts) -> None:
    """Whether the students can be evaluated on it: better now than after the first training."""
    evaluation = next((step for step in steps if step.verb == "evaluate"), None)
    training = next((step for step in steps if step.verb == "train"), None)
    if evaluation is None or training is None:
        return
    test, train = facts.samples(evaluation.options, prefer="test"), facts.samples(training.options)
    if _are_the_same(evaluation, training, test, train):
        mend = "Name other data under [data] test, or omit it: a share of the training data then validates"
        raise InputError("the test data are the training data, so an accuracy on them has no meaning", mend)
    require_labels(test, "evaluating")
    if train.classes is not None:
        labels_for("the training data", train.classes, train.class_names, test)


def _are_the_same(evaluation: Step, training: Step, test: Samples, train: Samples) -> bool:
    """Whether both name the same data, or one a part of the other."""
    splits = test.description.get("split"), train.description.get("split")
    return evaluation.options["data"] == training.options["data"] and splits[0] == splits[1]


def check_settings(steps: Sequence[Step]) -> None:
    """Refuse settings that no stage can use, before any data is opened.

    Raises:
        InputError: All of them in one line.
    """
    problems, mends = [], []
    for step in steps:
        try:
            if step.verb == "train":
                check_training(train_options(step))
            elif step.verb == "rdm":
                check_rdm(make(RdmOptions, step.options))
        except InputError as error:
            problems.append(f"{step.name}: {error.message}")
            mends.append(error.mend)
    if problems:
        raise InputError("; ".join(problems), "; ".join(dict.fromkeys(mends)))


def check_targets(steps: Sequence[Step], made: Mapping[str, str]) -> None:
    """Refuse targets that neither the recipe makes nor the store has.

    Args:
        steps: Of the recipe.
        made: Target -> the step that makes it.

    Raises:
        StoreMissingError: All of them in one line.
        StoreError: The store cannot be read.
    """
    missing: dict[str, list[str]] = {}
    for step in steps:
        there = _targets_there(Path(step.options["store"])) if step.reads else ()
        for name in step.reads:
            if name not in made and name not in there:
                missing.setdefault(name, []).append(step.name)
    if missing:
        told = (f"no target {name!r} for {', '.join(names)}" for name, names in missing.items())
        mend = "Add its table ([teacher], [[rdm]] or [[assistant]]), or correct the name in target, rdm or assistants"
        raise StoreMissingError("; ".join(told), mend)


def _targets_there(store: Path) -> Sequence[str]:
    found = store_at(store)
    return () if found is None else target_names(found.path)


def _judge(step: Step, facts: Facts) -> Verdict:
    judges = {"train": judge_training, "embed": judge_embed, "rdm": judge_rdm, "evaluate": judge_evaluation}
    return judge_report(step) if step.verb == "report" else judges[step.verb](step, facts)


def _waits(step: Step, running: set[str]) -> Verdict | None:
    """Run, where an earlier step that this one needs will run."""
    needed = next((name for name in step.needs if name in running), None)
    if needed is None:
        return None
    reasons = {"train teacher": "the teacher does not exist yet", "embed": "after the store is sealed"}
    own = {"evaluate": "after its training", "report": "after the steps that it reports"}
    return Verdict(action="run", reason=own.get(step.verb) or reasons.get(needed, f"after {needed}"))

"""The plan of a run: for each step run, reuse or refuse, with its reason. Nothing is written."""

from dataclasses import dataclass

from teachonce.engine.guard import check_test_classes, require_labels
from teachonce.errors import InputError, ModelError
from teachonce.models.students import build_student
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.judge import Verdict, judge_embed, judge_evaluation, judge_training, train_config
from teachonce.pipeline.recipe import Recipe
from teachonce.pipeline.steps import Step, make_steps


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A step, and what is to be done about it."""

    step: Step
    verdict: Verdict


def make_plan(recipe: Recipe, facts: Facts) -> list[Planned]:
    """Judge every step, in order. What waits for an earlier step that runs cannot be known better than `run`.

    Raises:
        InputError: Trainings whose settings cannot be used, all of them in one line.
        ModelError: Students that cannot be built, all of them in one line.
        TeachonceError: Data or a teacher that cannot be used.
    """
    steps = make_steps(recipe)
    _check(steps)
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
    wanted: dict[tuple[str, int | None], Step] = {}
    for plan in planned:
        if plan.step.verb == "train" and plan.verdict.action == "run":
            wanted.setdefault((plan.step.options["student"], plan.step.options.get("image_size")), plan.step)
    problems = []
    for (student, size), step in wanted.items():
        try:
            build_student(student, classes=facts.samples(step.options).classes or 2, image_size=size)
        except ModelError as error:
            problems.append(error)
    if problems:
        raise ModelError("; ".join(error.message for error in problems), problems[0].mend)


def _check_test_data(steps: list[Step], facts: Facts) -> None:
    """Whether the students can be evaluated on it: better now than after the first training."""
    evaluation = next((step for step in steps if step.verb == "evaluate"), None)
    training = next((step for step in steps if step.verb == "train"), None)
    if evaluation is None or training is None:
        return
    test, train = facts.samples(evaluation.options, prefer="test"), facts.samples(training.options)
    require_labels(test, "evaluating")
    if train.classes is not None:
        check_test_classes("the training data", train.classes, train.class_names, test)


def _check(steps: list[Step]) -> None:
    problems, mends = [], []
    for step in steps:
        if step.verb == "train":
            try:
                train_config(step).check()
            except InputError as error:
                problems.append(f"{step.name}: {error.message}")
                mends.append(error.mend)
    if problems:
        raise InputError("; ".join(problems), "; ".join(dict.fromkeys(mends)))


def _judge(step: Step, facts: Facts) -> Verdict:
    if step.verb == "train":
        return judge_training(step, facts)
    return judge_embed(step, facts) if step.verb == "embed" else judge_evaluation(step, facts)


def _waits(step: Step, running: set[str]) -> Verdict | None:
    """Run, where an earlier step that this one needs will run."""
    if step.verb == "evaluate" and step.name.replace("evaluate", "train", 1) in running:
        return Verdict(action="run", reason="after its training")
    if step.verb == "embed" and "train teacher" in running:
        return Verdict(action="run", reason="the teacher does not exist yet")
    if step.training is None or step.verb != "train":
        return None
    if "embed" in running and "store" in step.options:
        return Verdict(action="run", reason="after the store is sealed")
    if "train teacher" in running and "teacher" in step.options:
        return Verdict(action="run", reason="the teacher does not exist yet")
    return None

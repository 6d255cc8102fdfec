"""Does what a plan says, one step after another."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from teachonce.events import Events
from teachonce.models.trust import factory_environment
from teachonce.pipeline.child import MEND, PLACE
from teachonce.pipeline.evaluations import record
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.plan import Planned
from teachonce.pipeline.reporting import do_report
from teachonce.pipeline.steps import Step
from teachonce.pipeline.tables import OF_DATA
from teachonce.processes.process import Process
from teachonce.stages.evaluate import evaluate_run

HERE = ("evaluate", "report")
Results = dict[str, Mapping[str, Any] | None]


def execute(planned: Sequence[Planned], facts: Facts, events: Events) -> Results:
    """Do the steps one after another; their own progress is shown.

    Raises:
        TeachonceError: A step failed; those before it are kept.
    """
    results: Results = {}
    for number, plan in enumerate(planned, 1):
        events.info(f"[{number}/{len(planned)}] {plan.step.name}: {plan.verdict.action}, {plan.verdict.reason}")
        result = plan.verdict.result
        results[plan.step.name] = _do(plan.step, facts, events) if result is None else result
    return results


def _do(step: Step, facts: Facts, events: Events) -> Mapping[str, Any]:
    """Trainings and teacher passes have a process of their own."""
    if step.verb in HERE:
        return do_here(step, facts, events)
    return in_process(step, events)


def in_process(step: Step, events: Events) -> Mapping[str, Any]:
    """Do a step in a process of its own.

    Raises:
        TeachonceError: What the step raised, with its name before the message; or its process was killed.
    """
    with Process(PLACE, name=step.name, environment=factory_environment(), mend=MEND) as process:
        result: Mapping[str, Any] = process.ask(step.verb, step.options, events=events)
        return result


def do_here(step: Step, facts: Facts, events: Events) -> Mapping[str, Any]:
    """Do a step in this process: one of the verbs HERE.

    Raises:
        TeachonceError: See `evaluate` and `report`.
    """
    return do_report(step, events) if step.verb == "report" else do_evaluation(step, facts, events)


def do_evaluation(step: Step, facts: Facts, events: Events) -> Mapping[str, Any]:
    """Evaluate in this process, since that is too short to be worth another one, and keep the result.

    Raises:
        TeachonceError: See `evaluate`.
    """
    options = {name: value for name, value in step.options.items() if name not in ("run", *OF_DATA)}
    samples = facts.samples(step.options, prefer="test")
    result = asdict(evaluate_run(step.run, samples, **options, events=events))
    record(step, facts, result)
    return result

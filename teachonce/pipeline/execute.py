"""Does what a plan says, one step after another."""

from collections.abc import Mapping, Sequence
from typing import Any

from teachonce.engine.evalfile import write_evaluation
from teachonce.events import Events
from teachonce.models.spec import modules_of
from teachonce.models.trust import factory_environment
from teachonce.options.evaluate import EvaluateOptions
from teachonce.options.make import make
from teachonce.pipeline.child import MEND, PLACE
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.plan import Planned
from teachonce.pipeline.reporting import do_report
from teachonce.pipeline.steps import Step
from teachonce.processes.process import Process
from teachonce.processes.template import Template
from teachonce.records import to_json
from teachonce.stages.evaluate import evaluate_run

HERE = ("evaluate", "report")
Results = dict[str, Mapping[str, Any] | None]


def execute(planned: Sequence[Planned], facts: Facts, events: Events) -> Results:
    """Do the steps one after another; their own progress is shown.

    Raises:
        TeachonceError: A step failed; those before it are kept.
    """
    results: Results = {}
    with template_of(planned, factory_environment()) as template:
        for number, plan in enumerate(planned, 1):
            events.info(f"[{number}/{len(planned)}] {plan.step.name}: {plan.verdict.action}, {plan.verdict.reason}")
            result = plan.verdict.result
            results[plan.step.name] = _do(plan.step, facts, events, template) if result is None else result
    return results


def template_of(planned: Sequence[Planned], environment: Mapping[str, str]) -> Template:
    """What the processes of a plan are forked from."""
    todo = [plan.step.options for plan in planned if plan.verdict.result is None and plan.step.verb == "train"]
    return Template(
        ("teachonce.stages.train", *modules_of([str(options.get("student")) for options in todo])), environment
    )


def _do(step: Step, facts: Facts, events: Events, template: Template) -> Mapping[str, Any]:
    """Trainings and teacher passes have a process of their own."""
    if step.verb in HERE:
        return do_here(step, facts, events)
    return in_process(step, events, template)


def in_process(step: Step, events: Events, template: Template) -> Mapping[str, Any]:
    """Do a step in a process of its own.

    Raises:
        TeachonceError: What the step raised, with its name before the message; or its process was killed.
    """
    with Process(PLACE, name=step.name, template=template, mend=MEND) as process:
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
    samples = facts.samples(step.options, prefer="test")
    result = evaluate_run(make(EvaluateOptions, step.options), samples, events)
    write_evaluation(step.run, facts.content(step.options, prefer="test"), result)
    return to_json(result)

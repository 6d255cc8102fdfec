"""Runs a recipe: what its plan says, step by step, and one table at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachonce.errors import MismatchError
from teachonce.events import SILENT, Events
from teachonce.pipeline.child import run_child
from teachonce.pipeline.compare import compare
from teachonce.pipeline.recipe import Recipe, load_recipe
from teachonce.pipeline.seeds import over_seeds
from teachonce.pipeline.threads import limited_threads

if TYPE_CHECKING:
    from teachonce.pipeline.facts import Facts
    from teachonce.pipeline.plan import Planned
    from teachonce.pipeline.steps import Step


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What became of a step."""

    name: str
    action: str
    """`run`, `reuse` or `refuse`."""
    reason: str
    result: Mapping[str, Any] | None
    """Of its verb; None in a dry run where it would run."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What became of a recipe."""

    steps: Sequence[StepResult]
    comparison: Sequence[Mapping[str, Any]]
    """One row a training, the teacher's first: its measures, and `top1` on the test data."""
    ratios: Sequence[Mapping[str, Any]]
    """Cached over live where two trainings differ in nothing else: `step`, `memory`, `top1_difference`."""
    over_seeds: Sequence[Mapping[str, Any]]
    """Where trainings differ in nothing but the seed: the mean and spread of their test accuracy."""


def run(
    recipe: str | Path, *, out: str | Path | None = None, dry_run: bool = False, events: Events = SILENT
) -> RunResult:
    """Run a recipe; what is there with the same fingerprint or settings is reused.

    Killed or interrupted, the same call goes on: with the step it stopped in, where that step stopped.

    Args:
        recipe: A TOML file, or `quickstart`.
        out: The folder of the runs in place of the recipe's; for a built-in recipe, the folder of everything.
        dry_run: Only plan.
        events: Who watches.

    Raises:
        InputError: The recipe has unknown or wrong keys (all of them are named).
        MismatchError: A step is refused: its place holds something else. Nothing was run.
        TeachonceError: A step failed; those before it are kept.
    """
    loaded = load_recipe(recipe, out)
    from teachonce.pipeline.facts import Facts  # torch and its friends come with it: not before the recipe is right
    from teachonce.pipeline.plan import make_plan

    facts = Facts(events)
    with limited_threads(loaded.run.threads):
        planned = make_plan(loaded, facts)
        if dry_run:
            return _result(loaded, planned, {plan.step.name: plan.verdict.result for plan in planned})
        _refuse(planned)
        return _result(loaded, planned, _execute(planned, facts, events))


def _refuse(planned: "Sequence[Planned]") -> None:
    refused = [plan for plan in planned if plan.verdict.action == "refuse"]
    if refused:
        message = "; ".join(f"{plan.step.name}: {plan.verdict.reason}" for plan in refused)
        raise MismatchError(message, "Remove what is in the way, or change the recipe's paths or --out")


def _execute(planned: "Sequence[Planned]", facts: "Facts", events: Events) -> dict[str, Mapping[str, Any] | None]:
    results: dict[str, Mapping[str, Any] | None] = {}
    for number, plan in enumerate(planned, 1):
        events.info(f"[{number}/{len(planned)}] {plan.step.name}: {plan.verdict.action}, {plan.verdict.reason}")
        result = plan.verdict.result
        results[plan.step.name] = _do(plan.step, facts, events) if result is None else result
    return results


def _do(step: "Step", facts: "Facts", events: Events) -> Mapping[str, Any]:
    """Trainings and teacher passes have a process of their own; an evaluation is too short to be worth one."""
    if step.verb != "evaluate":
        return run_child(step.words(), step.name)
    from teachonce.pipeline.evaluations import record
    from teachonce.stages.evaluate import evaluate

    result = asdict(evaluate(**step.options, events=events))
    record(step, facts, result)
    return result


def _result(recipe: Recipe, planned: "Sequence[Planned]", results: Mapping[str, Mapping[str, Any] | None]) -> RunResult:
    rows, ratios = compare(recipe.trainings, {name: result for name, result in results.items() if result is not None})
    steps = [
        StepResult(
            name=plan.step.name,
            action=plan.verdict.action,
            reason=plan.verdict.reason,
            result=results[plan.step.name],
        )
        for plan in planned
    ]
    return RunResult(steps=steps, comparison=rows, ratios=ratios, over_seeds=over_seeds(recipe.trainings, rows))

"""Runs a recipe: what its plan says, and at the end one table and a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from teachonce.errors import MismatchError
from teachonce.events import Events
from teachonce.options.runs import RunOptions
from teachonce.options.verb import verb
from teachonce.pipeline.compare import compare
from teachonce.pipeline.recipe import Recipe, load_recipe
from teachonce.pipeline.seeds import over_seeds
from teachonce.processwide import limited_threads

if TYPE_CHECKING:
    from teachonce.pipeline.facts import Facts
    from teachonce.pipeline.plan import Planned


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
    """One row a training, the teacher's and the assistants' first: its measures, and `top1` on the test data with the
    95 % interval that its number of rows gives (`top1_interval`)."""
    ratios: Sequence[Mapping[str, Any]]
    """Cached over live where two trainings differ in nothing else: `step`, `memory`, `top1_difference`, and its 95 %
    interval (`top1_interval`)."""
    over_seeds: Sequence[Mapping[str, Any]]
    """Where trainings differ in nothing but the seed: what tells them from others (`label`), and the mean and spread
    of their test accuracy."""
    report: Mapping[str, Any] | None = None
    """What `report` gave, where the recipe asks for one: `out`, `verdict`, ..."""
    dry_run: bool = False
    """Whether nothing was run, and the steps are only planned."""


@verb(RunOptions)
def run(options: RunOptions, events: Events) -> RunResult:
    """Run a recipe; what is there with the same fingerprint or settings is reused.

    Killed or interrupted, the same call goes on: with the steps it stopped in, where these stopped.

    Raises:
        InputError: The recipe has unknown or wrong keys (all of them are named).
        ModelError: It names code, and that is not allowed.
        MismatchError: A step is refused: its place holds something else. Nothing was run.
        TeachonceError: A step failed; those before it are kept.
    """
    loaded = load_recipe(
        options.recipe, options.out, overrides=options.overrides, trust_remote_code=options.trust_remote_code
    )
    from teachonce.pipeline.facts import Facts  # torch and its friends come with it: not before the recipe is right
    from teachonce.pipeline.plan import make_plan
    from teachonce.pipeline.trust import code_of

    facts = Facts(events)
    with code_of(loaded, options.recipe), limited_threads(loaded.run.threads):
        planned = make_plan(loaded, facts)
        if options.dry_run:
            known = {plan.step.name: plan.verdict.result for plan in planned}
            return replace(_result(loaded, planned, known), dry_run=True)
        refuse(planned)
        jobs = options.jobs or loaded.run.jobs or 1
        return _result(loaded, planned, execute_steps(loaded, planned, facts, jobs, events))


def refuse(planned: "Sequence[Planned]") -> None:
    """End where a step is refused.

    Raises:
        MismatchError: All such steps in one line.
    """
    refused = [plan for plan in planned if plan.verdict.action == "refuse"]
    if refused:
        message = "; ".join(f"{plan.step.name}: {plan.verdict.reason}" for plan in refused)
        raise MismatchError(message, "Remove what is in the way, or change the recipe's paths or --out")


def execute_steps(
    recipe: Recipe, planned: "Sequence[Planned]", facts: "Facts", jobs: int, events: Events
) -> Mapping[str, Mapping[str, Any] | None]:
    """Do what a plan says, `jobs` steps at once; the results by the names of the steps.

    Raises:
        TeachonceError: A step failed; those before it are kept.
    """
    from teachonce.pipeline.execute import execute
    from teachonce.pipeline.together import execute_together

    if jobs == 1:
        return execute(planned, facts, events)
    logs, threads = recipe.out / "logs", recipe.run.threads
    return execute_together(planned, facts, events, jobs=jobs, threads=threads, logs=logs)


def _result(recipe: Recipe, planned: "Sequence[Planned]", results: Mapping[str, Mapping[str, Any] | None]) -> RunResult:
    done = {name: result for name, result in results.items() if result is not None}
    before = ("teacher", *(table.name for table in recipe.assistants))
    rows, ratios = compare(recipe.trainings, done, before=before)
    steps, seeds = step_results(planned, results), over_seeds(recipe.trainings, rows)
    return RunResult(steps=steps, comparison=rows, ratios=ratios, over_seeds=seeds, report=results.get("report"))


def step_results(planned: "Sequence[Planned]", results: Mapping[str, Mapping[str, Any] | None]) -> Sequence[StepResult]:
    """What became of the steps of a plan."""
    return [
        StepResult(
            name=plan.step.name,
            action=plan.verdict.action,
            reason=plan.verdict.reason,
            result=results[plan.step.name],
        )
        for plan in planned
    ]

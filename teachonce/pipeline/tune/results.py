"""What a search came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from teachonce.pipeline.run import StepResult
from teachonce.pipeline.tune.dims import Value
from teachonce.pipeline.tune.variants import Variant

if TYPE_CHECKING:
    from teachonce.pipeline.tune.space import Space
    from teachonce.pipeline.tune.study import Search


@dataclass(frozen=True, kw_only=True)
class VariantResult:
    """One variant's search."""

    name: str
    method: str
    student: str
    source: str
    seeds: Sequence[int]
    """Of the recipe; all trials used the first."""
    space: Mapping[str, Any]
    """Setting -> a list of choices, or low, high, log."""
    own: Mapping[str, Value]
    """The recipe's own values."""
    study: str | None = None
    """Its name in the journal and of the folder of its trials; None in a dry run."""
    trials: int = 0
    """That are over."""
    done: int = 0
    """Of these, those that came to their end."""
    pruned: int = 0
    failed: int = 0
    epochs: int = 0
    """Trained in all."""
    own_value: float | None = None
    """Of the first trial, which has the recipe's own values; None where it was pruned or failed."""
    best_trial: int | None = None
    best_value: float | None = None
    values: Mapping[str, Value] | None = None
    """Of the best trial."""


@dataclass(frozen=True, kw_only=True)
class TuneResult:
    """What a search came to."""

    metric: str
    trials: int
    """Of each variant."""
    steps: Sequence[StepResult]
    """What comes before the trials."""
    variants: Sequence[VariantResult]
    best: str | None = None
    """The file of all this; None in a dry run."""
    tuned: str | None = None
    """The tuned recipe."""


def planned_variant(variant: Variant, space: "Space") -> VariantResult:
    """Of a variant that was not searched."""
    options = variant.options
    return VariantResult(
        name=variant.name,
        method=options.method,
        student=options.student,
        source=options.source,
        seeds=variant.seeds,
        space=space.to_json(),
        own=dict(space.own),
    )


def searched_variant(search: "Search") -> dict[str, Any]:
    """The fields that a search adds."""
    over, best = search.over, search.best()
    states = [trial.state.name for trial in over]
    first = next((trial for trial in over if trial.number == 0 and trial.state.name == "COMPLETE"), None)
    return {
        "study": search.name,
        "trials": len(over),
        "done": states.count("COMPLETE"),
        "pruned": states.count("PRUNED"),
        "failed": states.count("FAIL"),
        "epochs": sum(trial.last_step or 0 for trial in over),
        "own_value": None if first is None else first.value,
        "best_trial": None if best is None else best.number,
        "best_value": None if best is None else best.value,
        "values": None if best is None else search.values(best.params),
    }

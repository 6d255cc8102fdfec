"""What a search came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from teachonce.options.opt import Value
from teachonce.pipeline.run import StepResult


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
    study: str | None
    """Its name in the journal and of the folder of its trials; None in a dry run."""
    trials: int
    """That are over."""
    done: int
    """Of these, those that came to their end."""
    pruned: int
    failed: int
    epochs: int
    """Trained in all."""
    own_value: float | None
    """Of the first trial, which has the recipe's own values; None where it was pruned or failed."""
    best_trial: int | None
    best_value: float | None
    values: Mapping[str, Value] | None
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

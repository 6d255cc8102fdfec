"""Trials in words, for the lines of progress."""

from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from teachonce.pipeline.tune.dims import Value
from teachonce.pipeline.tune.study import Search


def ended_text(search: Search, trial: FrozenTrial) -> str:
    """How a trial ended, and the best so far."""
    name, metric = f"{search.variant.name} trial {trial.number}", search.tune.metric
    best = search.best()
    so_far = "" if best is None else f"; best {value_text(metric, best.value)} (trial {best.number})"
    if trial.state == TrialState.FAIL:
        return f"{name} failed and is left out: {trial.user_attrs.get('error')}{so_far}"
    if trial.state == TrialState.PRUNED:
        return f"{name} pruned after epoch {trial.last_step} at {value_text(metric, trial.value)}{so_far}"
    if best is not None and best.number == trial.number:
        return f"{name} done: {value_text(metric, trial.value)}, the best so far"
    return f"{name} done: {value_text(metric, trial.value)}{so_far}"


def value_text(metric: str, value: float | None) -> str:
    """An accuracy in per cent, a loss as it is."""
    if value is None:
        return "-"
    return f"{metric} {100 * value:.2f} %" if metric == "val_top1" else f"{metric} {value:.4f}"


def values_text(values: Mapping[str, Any]) -> str:
    """`lr 0.00213, kd.temperature 4`."""
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items())


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)

"""Training curves, as data: validation accuracy and training loss over epochs, mean and range over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.engine.metrics import METRICS
from teachonce.engine.metrics import read_metrics as read_lines
from teachonce.plots.groups import Group

__all__ = ["METRICS", "Curve", "Line", "read_metrics", "training_curves"]

_NAMES = ("val_top1", "loss")
_TERM = "loss_"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One metric over epochs; each float64 (epochs,), NaN where it was not measured."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    """The minimum over seeds."""
    high: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Runs that differ only in the seed."""

    label: str
    is_live: bool
    seeds: int
    epochs: NDArray[np.int64]
    """(epochs,), from 1; those that every seed has."""
    val_top1: Line
    """In [0, 1]."""
    loss: Line
    """The training loss: the weighted sum of the method's terms."""
    terms: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Term -> its mean over the first epoch and over the last, before its weight; the mean over the seeds. Last comes
    `loss`, their weighted sum."""


def training_curves(groups: Sequence[Group]) -> list[Curve]:
    """A curve for each group that has metrics.

    Raises:
        CorruptError: A line of metrics cannot be read.
    """
    return [curve for curve in map(_curve, groups) if curve is not None]


def _curve(group: Group) -> Curve | None:
    runs = [entries for run in group.runs if (entries := read_metrics(run.folder))]
    epochs = sorted(set.intersection(*(set(entries) for entries in runs))) if runs else []
    if not epochs:
        return None
    val_top1, loss = (_line([[entries[e].get(name) for e in epochs] for entries in runs]) for name in _NAMES)
    return Curve(
        label=group.label,
        is_live=group.settings["source"] == "live" and group.runs[0].needs_teacher,
        seeds=len(runs),
        epochs=np.array(epochs, np.int64),
        val_top1=val_top1,
        loss=loss,
        terms=_terms([entries[epochs[0]] for entries in runs], [entries[epochs[-1]] for entries in runs]),
    )


def _terms(first: Sequence[Mapping[str, Any]], last: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Of the terms that every seed has in both epochs."""
    names = [name for name in first[0] if name.startswith(_TERM)] + ["loss"]
    known = [name for name in names if all(isinstance(entry.get(name), int | float) for entry in (*first, *last))]
    means = {name: [fmean(entry[name] for entry in entries) for entries in (first, last)] for name in known}
    return {name.removeprefix(_TERM): (begin, end) for name, (begin, end) in means.items()}


def _line(values: Sequence[Sequence[float | None]]) -> Line:
    table = np.array(values, np.float64)
    return Line(mean=table.mean(axis=0), low=table.min(axis=0), high=table.max(axis=0))


def read_metrics(run: Path) -> dict[int, Mapping[str, Any]]:
    """The metrics of a run by epoch; empty without the file.

    Raises:
        CorruptError: A line cannot be read.
    """
    return {line["epoch"]: line for line in read_lines(run, finished=True)}

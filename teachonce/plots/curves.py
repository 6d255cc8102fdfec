"""Training curves, as data: validation accuracy and training loss over epochs, mean and range over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from teachonce.engine.metrics import METRICS
from teachonce.engine.metrics import read_metrics as read_lines
from teachonce.engine.records import Epoch
from teachonce.plots.groups import Group

__all__ = ["METRICS", "Curve", "Line", "read_metrics", "training_curves"]

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
    return Curve(
        label=group.label,
        is_live=group.settings.source == "live" and group.runs[0].needs_teacher,
        seeds=len(runs),
        epochs=np.array(epochs, np.int64),
        val_top1=_line([[entries[e].val_top1 for e in epochs] for entries in runs]),
        loss=_line([[entries[e].losses.get("loss") for e in epochs] for entries in runs]),
        terms=_terms([entries[epochs[0]] for entries in runs], [entries[epochs[-1]] for entries in runs]),
    )


def _terms(first: Sequence[Epoch], last: Sequence[Epoch]) -> dict[str, tuple[float, float]]:
    """Of the terms that every seed has in both epochs."""
    names = [name for name in first[0].losses if name.startswith(_TERM)] + ["loss"]
    terms = {}
    for name in names:
        begin, end = _numbers(first, name), _numbers(last, name)
        if len(begin) == len(first) and len(end) == len(last):
            terms[name.removeprefix(_TERM)] = (fmean(begin), fmean(end))
    return terms


def _numbers(entries: Sequence[Epoch], name: str) -> list[float]:
    return [value for entry in entries if (value := entry.losses.get(name)) is not None]


def _line(values: Sequence[Sequence[float | None]]) -> Line:
    table = np.array(values, np.float64)
    return Line(mean=table.mean(axis=0), low=table.min(axis=0), high=table.max(axis=0))


def read_metrics(run: Path) -> dict[int, Epoch]:
    """The metrics of a run by epoch; empty without the file.

    Raises:
        CorruptError: A line cannot be read.
    """
    return {line.epoch: line for line in read_lines(run, finished=True)}

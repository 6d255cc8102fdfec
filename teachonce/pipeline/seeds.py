"""Trainings that differ in nothing but the seed, as one row: mean and spread."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from teachonce.options.alike import grouped_by
from teachonce.pipeline.labels import labels
from teachonce.pipeline.tables import Training

Row = Mapping[str, Any]


def over_seeds(trainings: Sequence[Training], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One row for each set of trainings that were done with two seeds or more.

    Args:
        trainings: Of the recipe.
        rows: The rows of `compare`, found by `name`.

    Returns:
        `label` (see `labels`), `method, student, source, target, rdms` (how many), `settings, epochs`, `seeds` (how
        many), and of the test accuracy `top1_mean, top1_sd` (n - 1), `top1_min, top1_max`; `step_ms` is the median. In
        the recipe's order.
    """
    names = labels(trainings)
    done = {row["name"]: row for row in rows if row.get("top1") is not None}
    tested = (training for training in trainings if training.name in done)
    return [
        {"label": names[group[0].name], **_row(group, [done[t.name] for t in group])}
        for group in grouped_by(tested, lambda training: training.but("seed", "label"))
        if len(group) > 1
    ]


def _row(group: Sequence[Training], rows: Sequence[Row]) -> dict[str, Any]:
    options, top1 = group[0].options, [row["top1"] for row in rows]
    steps = [row["step_ms"] for row in rows if row.get("step_ms")]
    return {
        "method": options.method,
        "student": options.student,
        "source": options.source,
        "target": group[0].target,
        "rdms": len(options.rdm),
        "settings": dict(options.settings),
        "epochs": options.epochs,
        "seeds": len(group),
        "top1_mean": statistics.fmean(top1),
        "top1_sd": statistics.stdev(top1),
        "top1_min": min(top1),
        "top1_max": max(top1),
        "step_ms": statistics.median(steps) if steps else None,
    }

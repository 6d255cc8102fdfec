"""Tables and a picture of a recipe that varies one thing at a time, from what `teachonce run RECIPE --json` printed.

    teachonce run recipes/clip-embed-kd-cifar10.toml --json > runs.json
    python scripts/compare_axes.py recipes/clip-embed-kd-cifar10.toml runs.json --picture axes.png > tables.md

The `name` of a [[train]] table up to its first dash is its axis; the table `base` is in every axis. Seeds are paired:
one seed is one split of the rows, one set of initial weights and one order of batches, so that a difference from the
base is taken seed by seed. Intervals are Student's t at 95 %, over the seeds.
"""

import argparse
import json
import math
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import t as student_t

from teachonce.pipeline.expand import student_slug
from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.tables import TRAIN, Training

Scores = Mapping[int, float]
"""Seed -> top-1 on the test data, in percent."""
BASE, PLAIN = "base", "method=ce"
HEAD = """\
| {} | test top-1, % (mean ± sd) | range | 95 % interval | minus base, points (95 % interval) |
|---|---|---|---|---|"""


def main() -> None:
    """Print the tables, and draw the picture where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("runs", type=Path, help="what `teachonce run --json` printed")
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    axes = read_axes(load_recipe(given.recipe).trainings, json.loads(given.runs.read_text())["comparison"])
    sys.stdout.write("\n\n".join(table(name, rows) for name, rows in axes.items()) + "\n")
    if given.picture is not None:
        draw(axes, given.picture)


def read_axes(trainings: Sequence[Training], rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Scores]]:
    """Axis -> setting in words -> its scores; the base is first in each, then `ce` where it is tried otherwise too."""
    top1 = {row["name"]: 100 * row["top1"] for row in rows if row.get("top1") is not None}
    done = [training for training in trainings if training.name in top1]
    base = next(training for training in done if training.label == BASE)
    axes: dict[str, dict[str, dict[int, float]]] = {}
    for training in done:
        axis = str(training.label).partition("-")[0]
        axes.setdefault(axis, {}).setdefault(words(training, base), {})[training.options.seed] = top1[training.name]
    own = axes.pop(BASE)
    plain = {key: scores for settings in axes.values() for key, scores in settings.items() if key == PLAIN}
    return {
        axis: {**own, **(plain if any(PLAIN in name for name in settings) else {}), **settings}
        for axis, settings in axes.items()
    }


def words(training: Training, base: Training) -> str:
    """What tells a training from the base."""
    if training.label == BASE:
        return BASE
    ours, theirs = (flat(each) for each in (training, base))
    return ", ".join(f"{key}={value}" for key, value in ours.items() if theirs.get(key) != value)


def flat(training: Training) -> dict[str, Any]:
    """Its options, those of the method among them; neither name nor seed."""
    options = {key: value for key, value in TRAIN.raw(training.given).items() if key not in ("seed", "set")}
    settings = {key.rpartition(".")[2]: value for key, value in training.options.settings.items()}
    return {**options, "student": student_slug(training.options.student), **settings}


def table(axis: str, rows: Mapping[str, Scores]) -> str:
    """A Markdown table."""
    return "\n".join([HEAD.format(axis), *(line(name, scores, rows[BASE]) for name, scores in rows.items())])


def line(name: str, scores: Scores, base: Scores) -> str:
    """A row of it."""
    values = list(scores.values())
    mean, half = interval(values)
    spread = f"{mean:.2f} ± {statistics.stdev(values):.2f}" if len(values) > 1 else f"{mean:.2f}"
    apart, half_apart = interval([scores[seed] - base[seed] for seed in scores if seed in base])
    against = "" if name == BASE else f"{apart:+.2f} ({apart - half_apart:+.2f} to {apart + half_apart:+.2f})"
    between = f"{mean - half:.1f} - {mean + half:.1f}"
    return f"| `{name}` | {spread} | {min(values):.2f} - {max(values):.2f} | {between} | {against} |"


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half of its 95 % interval: Student's t; NaN of fewer than two values."""
    if len(values) < 2:
        return statistics.fmean(values or [math.nan]), math.nan
    half = student_t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values), float(half)


def draw(axes: Mapping[str, Mapping[str, Scores]], out: Path) -> None:
    """A panel an axis, a row a setting: a point for each seed, a bar for their mean, a line at the base's mean."""
    from matplotlib.figure import Figure

    from teachonce.plots.figure import COLOURS

    heights = [len(rows) for rows in axes.values()]
    figure = Figure(figsize=(8, 0.32 * sum(heights) + 0.6 * len(axes)), layout="constrained")
    panels = figure.subplots(len(axes), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for panel, (axis, rows) in zip(panels, axes.items(), strict=True):
        panel.axvline(statistics.fmean(rows[BASE].values()), color="#888888", linewidth=0.8)
        for place, scores in enumerate(rows.values()):
            panel.plot(list(scores.values()), [place] * len(scores), "o", color=COLOURS[0], alpha=0.6, markersize=5)
            panel.plot([statistics.fmean(scores.values())], [place], "|", color=COLOURS[2], markersize=14)
        panel.set_yticks(range(len(rows)), list(rows), fontsize=8)
        panel.set_ylim(len(rows) - 0.5, -0.5)
        panel.set_title(axis, loc="left", fontsize=9)
    panels[-1].set_xlabel("top-1 on the test data, %")
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()

"""The steps of a run, and the table at its end."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from teachonce.console.reports import report_parts
from teachonce.console.tables import Parts, Result, columns
from teachonce.console.texts import duration_text, memory_text, share_text, source_text

_STYLES = {"run": "green", "reuse": "cyan", "refuse": "red"}


def run_parts(result: Result) -> Parts:
    """The steps; where trainings were done, one table that compares them; and the report."""
    parts: Parts = [steps_table(result["steps"])]
    if result["comparison"]:
        parts += ["", _comparison(result["comparison"])]
    if result["over_seeds"]:
        parts += ["", _over_seeds(result["over_seeds"])]
    parts += [*([""] if result["ratios"] else []), *(Text(_ratio(ratio)) for ratio in result["ratios"])]
    return [*parts, "", *report_parts(result["report"])] if result["report"] else parts


def _ratio(ratio: Result) -> str:
    words = [f"{name} x {ratio[name]:.2f}" for name in ("step", "memory") if ratio[name] is not None]
    if ratio["top1_difference"] is not None:
        words.append(f"test top-1 {100 * ratio['top1_difference']:+.2f} points")
    return f"cached over live, {ratio['name']}: {', '.join(words)}"


def steps_table(steps: Sequence[Result]) -> Table:
    """What becomes of each step, and why."""
    table = columns("step", "action", "reason")
    for step in steps:
        table.add_row(Text(step["name"]), Text(step["action"], style=_STYLES[step["action"]]), Text(step["reason"]))
    return table


def _comparison(rows: Sequence[Result]) -> Table:
    table = columns("run", "method", "source", right=("test top-1", "seconds", "ms a step", "peak memory"))
    for row in rows:
        step = row.get("step_ms")
        table.add_row(
            Text(row["name"]),
            row["method"],
            source_text(row),
            share_text(row.get("top1")),
            duration_text(row.get("seconds")),
            f"{step:.3g}" if step else "-",
            memory_text(row),
        )
    return table


def _over_seeds(rows: Sequence[Result]) -> Table:
    table = columns("student", "method", "source", right=("epochs", "seeds", "test top-1", "sd", "range", "ms a step"))
    for row in rows:
        step = row["step_ms"]
        table.add_row(
            Text(row["student"]),
            Text(row["label"]),
            source_text(row),
            str(row["epochs"]),
            str(row["seeds"]),
            share_text(row["top1_mean"]),
            share_text(row["top1_sd"]),
            f"{share_text(row['top1_min'])} - {share_text(row['top1_max'])}",
            f"{step:.3g}" if step else "-",
        )
    return table

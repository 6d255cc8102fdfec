"""The steps of a run, planned or done, and the tables at its end."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from teachonce.console.folding import Folding
from teachonce.console.reports import verdict_parts
from teachonce.console.tables import Parts, Result, columns
from teachonce.console.texts import duration_text, memory_text, rate_text, share_text, source_text
from teachonce.texts import count_text, points_text, range_text

if TYPE_CHECKING:
    from teachonce.pipeline.run import RunResult, StepResult

_STYLES = {"run": "green", "reuse": "cyan", "refuse": "red"}
_DONE = {"run": "done", "reuse": "reused"}


def run_parts(result: "RunResult") -> Parts:
    """The plan, or what was done; where trainings were done, tables that compare them; and the report."""
    if result.dry_run:
        return [steps_table(result.steps)]
    parts: Parts = [done_table(result.steps)]
    if result.comparison:
        parts += ["", _comparison(result.comparison)]
    if result.over_seeds:
        parts += ["", _over_seeds(result.over_seeds)]
    parts += [*([""] if result.ratios else []), *(Text(_ratio(ratio)) for ratio in result.ratios)]
    if result.report:
        parts += ["", *verdict_parts(*(result.report[name] for name in ("verdict", "pays", "out")))]
    return parts


def _ratio(ratio: Result) -> str:
    names = {"step": "time of a step", "memory": "peak memory"}
    words = [f"{what} x {ratio[name]:.2f}" for name, what in names.items() if ratio[name] is not None]
    if ratio["top1_difference"] is not None:
        words.append(f"test top-1 {points_text(ratio['top1_difference'])}{_chance(ratio)}")
    return f"cached against live, {ratio['name']}: {', '.join(words)}"


def _chance(ratio: Result) -> str:
    """Whether a difference is more than what other test images would change; of another seed it says nothing."""
    if ratio["top1_interval"] is None:
        return ""
    low, high = ratio["top1_interval"]
    images = count_text(ratio["test_rows"], "test image")
    verdict = "may be chance" if low <= 0 <= high else "more than the choice of images explains"
    return f" (95 % interval {100 * low:+.2f} to {points_text(high)} on {images}: {verdict})"


def steps_table(steps: Sequence["StepResult"]) -> Table:
    """What will become of each step, and why."""
    table = columns("step", "action", "reason")
    for step in steps:
        table.add_row(Text(step.name), Text(step.action, style=_STYLES[step.action]), Text(step.reason))
    return table


def done_table(steps: Sequence["StepResult"]) -> Table:
    """What became of each step."""
    table = columns("step", "", "result")
    for step in steps:
        done = Text(_DONE[step.action], style=_STYLES[step.action])
        table.add_row(Text(step.name), done, Text(_outcome(step.result or {})))
    return table


def _outcome(result: Result) -> str:
    """`30 epochs, 12 s, validation top-1 96.53 %`."""
    if "rdms" in result:
        tops = [share_text(rdm["top1"]) for rdm in result["rdms"] if rdm["top1"] is not None]
        words = [count_text(len(result["rdms"]), "RDM"), *([f"top-1 {', '.join(tops)}"] if tops else [])]
    elif "out" in result:
        return ", ".join(map(str, result["out"]))
    elif "target" in result:
        words = [count_text(result["rows"], "row"), _top1("teacher's top-1 on them", result.get("teacher_top1"))]
    elif "val_top1" in result:
        words = [count_text(result["epochs"], "epoch"), duration_text(result.get("seconds"))]
        words.append(_top1("validation top-1", result["val_top1"]))
    else:
        words = [_top1("test top-1", result.get("top1"))]
    return ", ".join(filter(None, words))


def _top1(what: str, share: float | None) -> str:
    return "" if share is None else f"{what} {share_text(share)}"


def _comparison(rows: Sequence[Result]) -> RenderableType:
    words, right = ("method", "targets"), ("test top-1", "95 % interval", "training time", "ms per step", "peak memory")
    table = Folding(left=("run",), right=(*words, *right), words=words)
    for row in rows:
        interval = row.get("top1_interval")
        table.add_row(
            Text(row["name"]),
            row["method"],
            source_text(row["method"], row["source"]),
            share_text(row.get("top1")),
            range_text(*interval) if interval else "-",
            duration_text(row.get("seconds")),
            rate_text(row.get("step_ms")),
            memory_text(row.get("peak_memory_bytes"), row.get("host_memory_bytes")),
        )
    return table


def _over_seeds(rows: Sequence[Result]) -> RenderableType:
    words, right = ("targets",), ("epochs", "seeds", "mean test top-1", "sd over seeds", "range", "ms per step")
    table = Folding(left=("student", "method"), right=(*words, *right), words=words)
    for row in rows:
        table.add_row(
            Text(row["student"]),
            Text(row["label"]),
            source_text(row["method"], row["source"]),
            str(row["epochs"]),
            str(row["seeds"]),
            share_text(row["top1_mean"]),
            points_text(row["top1_sd"]).lstrip("+"),
            range_text(row["top1_min"], row["top1_max"]),
            rate_text(row["step_ms"] or None),
        )
    return table

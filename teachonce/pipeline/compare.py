"""The end of a run: one row a training, and cached against live where both were done."""

from collections.abc import Mapping, Sequence
from typing import Any

from teachonce.intervals import between, wilson
from teachonce.options.alike import paired
from teachonce.pipeline.tables import Training

Row = Mapping[str, Any]
_MEASURES = (
    "method",
    "source",
    "seconds",
    "step_ms",
    "samples_per_s",
    "peak_memory_bytes",
    "host_memory_bytes",
    "val_top1",
)


def compare(
    trainings: Sequence[Training], results: Mapping[str, Row], *, before: Sequence[str] = ("teacher",)
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of the table, and the ratios of cached over live.

    Args:
        trainings: Of the recipe.
        results: Step name -> its result, of the steps that have one.
        before: The names of the trainings that come first: the teacher, the assistants.

    Returns:
        A row for each training that is done (its measures, `name`, and of the test data `top1`, `test_rows` and
        `top1_interval`), and for each two of them that differ in nothing but the source `name, method, step, memory`
        (cached over live) and `top1_difference, top1_interval, top1_paired, test_rows` (cached minus live). Intervals
        are [low, high] of 95 %, None where the number of test rows is not known; see `intervals`.
    """
    rows = {
        training.name: _row(training.name, results) for training in trainings if f"train {training.name}" in results
    }
    done = [training for training in trainings if training.name in rows]
    pairs = paired(done, lambda training: training.but("source", "label"), lambda training: training.options.source)
    both = [(rows[cached.name], rows[live.name]) for cached, live in pairs]
    ratios = [_ratio(cached, live) | _difference(cached, live, results) for cached, live in both]
    first = [_row(name, results) for name in before if f"train {name}" in results]
    return [*first, *rows.values()], ratios


def _row(name: str, results: Mapping[str, Row]) -> dict[str, Any]:
    result = results[f"train {name}"]
    tested = results.get(f"evaluate {name}", {})
    top1, count = tested.get("top1"), tested.get("rows")
    test = {"top1": top1, "test_rows": count, "top1_interval": list(wilson(top1 * count, count)) if count else None}
    return {"name": name, **{key: result.get(key) for key in _MEASURES}, **test}


def _ratio(cached: Row, live: Row) -> dict[str, Any]:
    memory = "peak_memory_bytes" if cached["peak_memory_bytes"] is not None else "host_memory_bytes"
    return {
        "name": cached["name"],
        "method": cached["method"],
        "step": _over(cached["step_ms"], live["step_ms"]),
        "memory": _over(cached[memory], live[memory]),
    }


def _difference(cached: Row, live: Row, results: Mapping[str, Row]) -> dict[str, Any]:
    """Of the accuracies on the test data, which is the same for all trainings of a recipe."""
    own, other = (results.get(f"evaluate {row['name']}", {}) for row in (cached, live))
    value = None if cached["top1"] is None or live["top1"] is None else cached["top1"] - live["top1"]
    found = between(own, other)
    return {
        "top1_difference": value,
        "top1_interval": None if found is None else [found.low, found.high],
        "top1_paired": found is not None and found.is_paired,
        "test_rows": None if found is None else found.rows,
    }


def _over(cached: float | None, live: float | None) -> float | None:
    return cached / live if cached and live else None

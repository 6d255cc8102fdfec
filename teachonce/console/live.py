"""What `teachonce bench live` found, as people read it: one case whole, a sweep a line a method."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from teachonce.console.folding import Folding
from teachonce.console.tables import Parts, Result, pairs
from teachonce.console.texts import duration_text, rate_text, size_text
from teachonce.texts import count_text, epochs_text

_PARTS = ("data", "transfer", "teacher", "student_forward", "loss", "backward", "optimiser")
_ARMS = ("student-only", "constant", "cached", "live")
_CLAIMS = {
    "memory_9x": "9 times less memory between steps",
    "memory_9x_without_data": "... without images and targets",
    "memory_9x_at_peak": "... at the peak of a step",
    "time_8x": "8 times less time",
}
_METERS = {
    "tensors": "bytes of tensors; `process` is the peak resident memory of the process",
    "cuda allocator": "of the GPU, by torch's allocator; `process` is the host's",
}


def live_parts(result: Result) -> Parts:
    """The verdict first; then of one case all that it rests on, of several a table."""
    if "cases" in result:
        return _sweep_parts(result)
    parts: Parts = []
    for name, method in result["methods"].items():
        parts += [Text(f"{name}: {method['verdict']}", style="bold")]
    parts += ["", pairs(_facts(result))]
    for name, method in result["methods"].items():
        rival = "" if method["live_method"] == name else f", its live rival is {method['live_method']}"
        parts += ["", Text(f"method {name}{rival}", style="bold"), _arms(method), "", _steps(method), ""]
        parts += [pairs(_ratios(method, result))]
    return parts


def _facts(result: Result) -> list[tuple[str, str]]:
    stage = result["stage_one"]
    how = f"{result['precision']}, {'compiled' if result['compile'] else 'eager'}, {result['device']}"
    case = f"{result['case']}, " if result["case"] else ""
    return [
        ("case", f"{case}batch {result['batch_size']}, {how}, {count_text(result['threads'], 'thread')}"),
        ("teacher", f"{result['teacher']} at {result['teacher_image_size']} px"),
        ("student", f"{result['student']} at {result['image_size']} px"),
        ("data", f"{result['data']}; {result['rows']:,} rows are used"),
        (
            "measured",
            f"{count_text(result['rounds'], 'round')} in turns, {_steps_text(result)} each, over "
            f"{count_text(result['starts'], 'start')} of all arms; medians (quartiles)",
        ),
        ("stage one", f"{stage['rows']:,} rows in {duration_text(stage['seconds'])}, {_rate(stage)} rows/s"),
        ("an epoch", f"{result['epoch_rows']:,} samples; a student has {count_text(result['epochs'], 'epoch')}"),
        ("memory", _METERS[result["memory_meter"]]),
    ]


def _steps_text(result: Result) -> str:
    """`5 steps`, or `2 to 12 steps` where arms differ."""
    counts = [arm["steps"] for method in result["methods"].values() for arm in method["arms"].values()]
    return count_text(min(counts), "step") if min(counts) == max(counts) else f"{min(counts)} to {max(counts)} steps"


def _rate(stage: Mapping[str, Any]) -> str:
    return rate_text(stage["samples_per_s"])


def _arms(method: Result) -> Folding:
    energy = any(arm["energy_j"] is not None for arm in method["arms"].values())
    right = ("ms per step", "quartiles", "samples/s", "an epoch", "memory between steps", "at peak", "process")
    table = Folding(left=("arm",), right=(*right, *(("J a step",) if energy else ())))
    for name in _ARMS:
        arm = method["arms"][name]
        spread = arm["spread"]
        table.add_row(
            name,
            _ms(arm["step_ms"]),
            f"{_ms(spread['low'])} - {_ms(spread['high'])}",
            rate_text(arm["samples_per_s"]),
            duration_text(arm["epoch_s"]),
            size_text(arm["allocated_bytes"]),
            size_text(arm["peak_memory_bytes"]),
            size_text(arm["host_memory_bytes"]),
            *((_joules(arm["energy_j"]),) if energy else ()),
        )
    return table


def _steps(method: Result) -> Folding:
    """The parts of a step."""
    table = Folding(left=("of a step, ms",), right=[part.replace("_", " ") for part in _PARTS])
    for name in _ARMS:
        arm = method["arms"][name]
        table.add_row(name, *(_ms(arm["parts_ms"][part]) if arm["parts_ms"][part] else "-" for part in _PARTS))
    return table


def _ratios(method: Result, result: Result) -> list[tuple[str, str]]:
    def spread(name: str) -> str:
        low, high = method["spread"][name]
        return f"{method[name]:.3g} ({low:.3g} - {high:.3g})"

    check = method["live_check"]
    good = "" if check["within"] else ": outside the limit"
    return [
        ("speed-up", f"{spread('speedup')}, {_share(method, 'share_of_limit', 'time_ceiling')}"),
        ("memory between steps", _memory(method, "memory_ratio", "share_of_memory_limit", "memory_ceiling")),
        ("  with an epoch's data", _at_epoch(method)),
        ("  with no data", f"{method['memory_ratio_without_data']:.3g} times less"),
        ("memory at peak", _memory(method, "peak_memory_ratio", "share_of_peak_memory_limit", "peak_memory_ceiling")),
        ("cached / constant", f"{spread('overhead_cache')} of time, {method['memory_overhead_cache']:.3f} of memory"),
        ("constant / student-only", f"{spread('overhead_loss')} of time"),
        ("live / (teacher + student)", f"{check['ratio']:.3f}, at most {check['limit']:g}{good}"),
        ("before the first epoch", _before(method)),
        ("break-even", _paid(method, result["epochs"])),
    ]


def _share(method: Result, share: str, ceiling: str) -> str:
    return f"{100 * method[share]:.0f} % of the {method[ceiling]:.3g} that a free cache would give"


def _memory(method: Result, ratio: str, share: str, ceiling: str) -> str:
    return f"{method[ratio]:.3g} times less, {_share(method, share, ceiling)}"


def _at_epoch(method: Result) -> str:
    cached = method["arms"]["cached"]
    places = ", ".join(f"{what} {cached[f'{what}_at_epoch']['where']}" for what in ("images", "targets"))
    found = f"{method['memory_ratio_at_epoch']:.3g} times less of {method['memory_ceiling_at_epoch']:.3g}"
    return f"{found}; cached / constant {method['memory_overhead_cache_at_epoch']:.3f} ({places})"


def _before(method: Result) -> str:
    rdms = f", RDMs {duration_text(method['rdm_s'])}" if method["rdm"] else ""
    return f"stage one {duration_text(method['stage_one_s'])}{rdms}, {size_text(method['store_bytes'])} on disk"


def _paid(method: Result, epochs: int) -> str:
    even, students = method["break_even_epochs"], method["break_even_students"]
    if even is None:
        return "never: a live step takes no longer"
    return f"after {epochs_text(even)}, or {students:,.2g} students of {count_text(epochs, 'epoch')}"


def _sweep_parts(result: Result) -> Parts:
    from teachonce.reports.verdict import judge_live  # here: it brings matplotlib with it

    right = ("batch", "ms cached", "ms live", "speed-up", "of its limit", "memory", "at peak")
    table = Folding(left=("case", "setting", "method"), right=(*right, "cached / constant", "pays after"))
    for case in result["cases"]:
        for name, method in case["methods"].items():
            table.add_row(*_line(case, name, method))
    rivals = {name: method["live_method"] for case in result["cases"] for name, method in case["methods"].items()}
    facts = [
        ("preset", result["preset"] or "-"),
        *((f"live rival of {name}", rival) for name, rival in rivals.items() if rival != name),
        ("device", result["device"]),
        ("memory", "live / cached, between steps with an epoch's data, and at peak"),
        *((_CLAIMS[claim], "; ".join(where) or "nowhere here") for claim, where in result.get("claims", {}).items()),
        *((f"left out: {label}", why) for label, why in result["left_out"].items()),
    ]
    return [Text(judge_live(result), style="bold"), "", table, "", pairs(facts)]


def _line(case: Result, name: str, method: Result) -> tuple[str | Text, ...]:
    arms, even = method["arms"], method["break_even_epochs"]
    return (
        Text(_name(case)),
        f"{case['precision']}, {'compiled' if case['compile'] else 'eager'}",
        name,
        f"{case['batch_size']}",
        _ms(arms["cached"]["step_ms"]),
        _ms(arms["live"]["step_ms"]),
        f"{method['speedup']:.3g}",
        f"{100 * method['share_of_limit']:.0f} %",
        f"{method['memory_ratio_at_epoch']:.3g}",
        f"{method['peak_memory_ratio']:.3g}",
        f"{method['overhead_cache']:.3f}",
        epochs_text(even),
    )


def _name(case: Result) -> str:
    return str(case["case"] or case["student"])


def _ms(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _joules(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"

"""Benchmarks beside live against cached: sweeps and the papers' figures, training costs, estimates, single parts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from teachonce.methods.clip_embed_kd import MEMORY_CLAIM, TIME_CLAIM
from teachonce.plots.accounting import Accounting, accounting
from teachonce.plots.draw.accounting import draw_accounting, short
from teachonce.plots.draw.sweep import draw_sweep
from teachonce.plots.sweep import Sweep, SweepPoint, sweep
from teachonce.reports.gather import Bench, Material
from teachonce.reports.measured import Measured, measurements
from teachonce.reports.page import Block, Facts, Figure, Section, Table, Text
from teachonce.texts import ORIGIN, duration_text, epochs_text, rate_text, ratio_text, size_text, step_text

_NAMES = {"bench-step": "A training step", "bench-embed": "Stage one", "bench-rdm": "RDM training"}
_SWEEP = ("setting", "speed-up", "quartiles", "ceiling", "between steps", "ceiling", "at the peak", "cache has paid")
_FEW = 3  # settings that a sentence can name


def sweep_section(material: Material) -> Section | None:
    """Ratios over all settings, a figure a method; None where no method was measured in two settings."""
    methods: dict[str, list[Measured]] = {}
    for one in measurements(material):
        methods.setdefault(one.method, []).append(one)
    many = {method: found for method, found in methods.items() if len(found) > 1}
    blocks = [block for place, found in enumerate(many.values(), 1) for block in _sweep_blocks(place, found)]
    title = "Batch size, precision, teacher"
    return Section(name="sweep", title=title, blocks=tuple(blocks)) if blocks else None


def _sweep_blocks(place: int, found: Sequence[Measured]) -> Iterator[Block]:
    data = sweep([one.case for one in found], found[0].method)
    fastest = max(data.points, key=lambda point: point.speedup)
    told = f"At most {ratio_text(fastest.speedup)} faster, of {len(data.points)} settings"
    yield Figure(
        name=f"sweep-{place}",
        title=f"{data.method}: live over cached",
        caption="Larger is better for the cache; the strokes are the ceilings that a cache without cost would reach.",
        alt=f"Points of the speed-up and the memory ratios by setting. {told}.",
        draw=lambda width: draw_sweep(data, width),
        table=Table(
            columns=_SWEEP,
            rows=tuple(_sweep_row(one, point) for one, point in zip(found, data.points, strict=True)),
            numeric=(False, *[True] * (len(_SWEEP) - 1)),
        ),
    )
    if data.claimed:
        yield from _claims(data, found)


def _sweep_row(one: Measured, point: SweepPoint) -> tuple[str, ...]:
    spread = "-" if point.low is None or point.high is None else f"{point.low:.3g} - {point.high:.3g}"
    return (
        one.setting or "-",
        ratio_text(point.speedup),
        spread,
        ratio_text(point.time_ceiling),
        ratio_text(point.memory_ratio),
        ratio_text(point.memory_ceiling),
        ratio_text(point.peak_memory_ratio),
        epochs_text(one.found["break_even_epochs"]),
    )


def _claims(data: Sweep, found: Sequence[Measured]) -> Iterator[Block]:
    """Where the papers' figures hold: named where there are few, else in a table."""
    holds = [_holds(one, point) for one, point in zip(found, data.points, strict=True)]
    memory, bare, peak, time = (
        _at([one.setting for one, is_so in zip(found, column, strict=True) if is_so], len(found))
        for column in zip(*holds, strict=True)
    )
    yield Text(
        text=f"CLIP-Embed-KD reports {MEMORY_CLAIM:.0f} times less memory and {TIME_CLAIM:.0f} times less time. "
        f"Here {MEMORY_CLAIM:.0f} times less memory between steps holds {memory}, "
        f"with no images and targets in that memory {bare}, "
        f"at the peak of a step {peak}, and {TIME_CLAIM:.0f} times less time {time}."
    )
    if len(found) > _FEW:
        yield Table(
            columns=("setting", "memory", "no images", "at the peak", "time"),
            rows=tuple(
                (one.setting or "-", *("yes" if is_so else "-" for is_so in line))
                for one, line in zip(found, holds, strict=True)
            ),
            numeric=(False,) * 5,
            caption=f"{MEMORY_CLAIM:.0f} times less memory, and {TIME_CLAIM:.0f} times less time",
        )


def _holds(one: Measured, point: SweepPoint) -> tuple[bool, bool, bool, bool]:
    """Memory between steps, the same without images and targets, at the peak; and time."""
    memory = (point.memory_ratio, one.found.get("memory_ratio_without_data"), point.peak_memory_ratio)
    between, bare, peak = ((ratio or 0) >= MEMORY_CLAIM for ratio in memory)
    return between, bare, peak, point.speedup >= TIME_CLAIM


def _at(settings: Sequence[str], count: int) -> str:
    if not settings:
        return f"at none of {count} settings"
    names = dict.fromkeys(settings)  # one may have been measured twice
    named = f" ({'; '.join(names)})" if len(names) <= _FEW else ""
    return f"at {len(settings)} of {count} settings{named}"


def costs_section(material: Material) -> Section | None:
    """Training costs counted in multiply-accumulates, beside the paper's; None without `bench macs`."""
    blocks = [
        block for place, bench in enumerate(material.of("bench-macs"), 1) for block in _costs(place, bench.result)
    ]
    lead = "Forward multiply-accumulates on the real networks, counted as in appendix D.2 of the CIFD paper."
    return Section(name="training-cost", title="Training cost", blocks=tuple(blocks), lead=lead) if blocks else None


def _costs(place: int, result: Mapping[str, Any]) -> Iterator[Block]:
    data = accounting(result)
    told = "; ".join(f"{bar.label} {bar.ratio:.3g}" for bar in data.bars)
    yield Figure(
        name=f"training-cost-{place}",
        title=f"{data.preset}: cost of a student",
        caption=f"{result['counting'].capitalize()}. Beside the bars what the paper says.",
        alt=f"Bars of the training cost, relative to {data.reference}: {told}.",
        draw=lambda width: draw_accounting(data, width),
        table=_cost_table(data, result),
    )
    yield _networks(result)
    told = ", ".join(f"{name.replace('_', ' ')} {_setting(value)}" for name, value in result["settings"].items())
    yield Text(text=f"Settings: {told}.")


def _setting(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else f"{value:,}"


def _cost_table(data: Accounting, result: Mapping[str, Any]) -> Table:
    return Table(
        columns=("scheme", "counted", f"over {data.reference}", "with the paper's numbers", "the paper says", "why"),
        rows=tuple(
            (bar.label, short(bar.macs), f"{bar.ratio:.3f}", _printed(scheme), _said(scheme), scheme.get("why") or "-")
            for bar, scheme in zip(data.bars, result["schemes"], strict=True)
        ),
        numeric=(False, True, True, True, False, False),
    )


def _printed(scheme: Mapping[str, Any]) -> str:
    """The same arithmetic on the paper's own numbers for its networks."""
    printed = scheme.get("by_paper_constants")
    return short(printed["macs"]) if printed else "-"


def _said(scheme: Mapping[str, Any]) -> str:
    return (scheme.get("paper") or {}).get("text") or "-"


def _networks(result: Mapping[str, Any]) -> Table:
    return Table(
        columns=("network", "role", "counted", "in the paper"),
        rows=tuple(
            (one["name"], one["role"], short(one["macs"]), short(one["paper"]) if one.get("paper") else "-")
            for one in result["networks"]
        ),
        numeric=(False, False, True, True),
        caption="Multiply-accumulates of one sample",
    )


def estimate_section(material: Material) -> Section | None:
    """What was estimated before the teacher ran; None without an estimate."""
    blocks = [block for bench in material.of("estimate") for block in _estimate(bench.result)]
    return Section(name="estimate", title="Estimate", blocks=tuple(blocks)) if blocks else None


def _estimate(result: Mapping[str, Any]) -> Iterator[Block]:
    yield Text(text=result["verdict"])
    yield Facts(
        title=str(result["teacher"]),
        pairs=(
            ("rows", f"{result['rows']:,}"),
            ("views", str(result["views"])),
            ("dtype", result["dtype"]),
            ("stage one", f"{duration_text(result['seconds'])}, {rate_text(result['samples_per_s'])} rows/s"),
            ("store", size_text(result["store_bytes"])),
            ("what limits", result["limit"]),
            ("peak memory", size_text(result["peak_memory_bytes"] or result["host_memory_bytes"])),
            ("device", result["device"]),
            *_student(result.get("student")),
        ),
    )
    yield Table(
        columns=("views", "dtype", "store", "stage one", "what limits"),
        rows=tuple(
            (
                str(one["views"]),
                one["dtype"],
                size_text(one["store_bytes"]),
                duration_text(one["seconds"]),
                one["limit"],
            )
            for one in result["table"]
        ),
        numeric=(True, False, True, True, False),
        caption="Other views and dtypes",
    )


def _student(student: Mapping[str, Any] | None) -> tuple[tuple[str, str], ...]:
    """Who is to learn from it."""
    if student is None:
        return ()
    return (
        ("student", f"{student['student']}, {student['method']}, {student['epochs']} epochs"),
        ("a step from the cache", f"{step_text(student['cached_step_ms'])} ms"),
        ("a step with the live teacher", f"{step_text(student['live_step_ms'])} ms"),
        ("the cache has paid after", epochs_text(student["break_even_epochs"])),
    )


def parts_section(material: Material) -> Section | None:
    """Benchmarks of single parts, as they say themselves; None without such."""
    blocks = [block for kind in _NAMES for bench in material.of(kind) for block in _part(bench)]
    return Section(name="parts", title="Benchmarks of single parts", blocks=tuple(blocks)) if blocks else None


def _part(bench: Bench) -> Iterator[Block]:
    title = f"{_NAMES[bench.kind]} ({bench.path.name})"
    own = {name: value for name, value in bench.result.items() if name not in ORIGIN and name != "arms"}
    told = ((name.replace("_", " "), _told(value)) for name, value in own.items())
    yield Facts(title=title, pairs=tuple((name, value) for name, value in told if value))
    arms: Mapping[str, Mapping[str, float]] = bench.result.get("arms") or {}
    if arms:
        yield Table(
            columns=("arm", "ms a step", "between the quartiles, ms"),
            rows=tuple((arm, step_text(one["step_ms"]), step_text(one.get("spread_ms"))) for arm, one in arms.items()),
            numeric=(False, True, True),
            caption=title,
        )


def _told(value: Any) -> str:
    """A number, a word, or a median with its quartiles; nothing of anything else."""
    if isinstance(value, Mapping):
        known = {"median", "low", "high"} <= value.keys()
        return f"{value['median']:.3g} ({value['low']:.3g} - {value['high']:.3g})" if known else ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value or "")

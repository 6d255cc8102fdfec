"""Live against cached: bars of the arms, from benchmarks, else from runs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from teachonce.plots.arms import ARMS, STEP_PARTS, Arms, arms
from teachonce.reports.gather import Material
from teachonce.reports.measured import MOST, Measured, measurements
from teachonce.reports.page import Block, Facts, Section, Table, Text
from teachonce.reports.pairs import pairs
from teachonce.reports.trained import arms_figure, pair_blocks
from teachonce.texts import (
    count_text,
    duration_text,
    epochs_text,
    listed,
    number_text,
    rate_text,
    size_text,
    step_text,
)

_BESIDE = 4  # methods and settings that stand beside each other in a table
_RATIOS = (
    ("live/cached, time", "speedup"),
    ("its ceiling", "time_ceiling"),
    ("share of the ceiling", "share_of_limit"),
    ("live/cached, memory between steps", "memory_ratio"),
    ("its ceiling", "memory_ceiling"),
    ("share of the ceiling", "share_of_memory_limit"),
    ("the same with an epoch's images and targets", "memory_ratio_at_epoch"),
    ("its ceiling", "memory_ceiling_at_epoch"),
    ("the same without images and targets", "memory_ratio_without_data"),
    ("live/cached, memory at the peak", "peak_memory_ratio"),
    ("cached/constant, time", "overhead_cache"),
    ("cached/constant, memory between steps", "memory_overhead_cache"),
    ("the same with an epoch's images and targets", "memory_overhead_cache_at_epoch"),
    ("constant/student only, time", "overhead_loss"),
)


def arms_section(material: Material) -> Section | None:
    """Time and memory of the arms; None if nothing was measured both ways."""
    measured = measurements(material)
    title = "Live against cached: a step"
    if measured:
        blocks = [block for place, one in enumerate(measured[:MOST], 1) for block in _bench_arms(place, one)]
        blocks += [_ratios(measured), *_facts(measured)]
        return Section(name="arms", title=title, blocks=tuple(blocks), lead=_lead(measured))
    found = pairs(material)
    blocks = [block for place, pair in enumerate(found[:MOST], 1) for block in pair_blocks(place, pair)]
    lead = (
        "From runs, which were made at different times. teachonce bench live measures the arms in turn, "
        "and also the memory between steps."
    )
    return Section(name="arms", title=title, blocks=tuple(blocks), lead=lead) if blocks else None


def _lead(measured: Sequence[Measured]) -> str:
    devices = listed(list(dict.fromkeys(str(one.case["device"]) for one in measured)))
    summary = f"Measured on {devices}: medians and quartiles of "
    summary += f"{_counted(measured, 'rounds')} of {_counted(measured, 'steps')}"
    summary += "; each arm is a separate process, and they take turns"
    starts = max(one.case.get("starts", 1) for one in measured)
    summary += f"; all were started {_counted(measured, 'starts').removesuffix('starts')}times." if starts > 1 else "."
    many = f" The first {MOST} of {len(measured)}; all are in the sweep below."
    return summary + (many if len(measured) > MOST else "")


def _counted(measured: Sequence[Measured], key: str) -> str:
    """`9 rounds`, or `3 to 9 rounds` where benchmarks were asked for different numbers."""
    counts = [one.case.get(key, 1) for one in measured]
    least, most = min(counts), count_text(max(counts), key.removesuffix("s"))
    return most if least == max(counts) else f"{least:,} to {most}"


def _bench_arms(place: int, one: Measured) -> Iterator[Block]:
    data = arms(one.case, one.method)
    yield arms_figure(place, one.title, data, _caption(one.found, data), _bench_table(one.found))
    check = one.found.get("live_check")
    if check and not check["within"]:
        summary = f"The live arm took {check['ratio']:.2f} times the teacher's forward and a student's step together"
        too_good = f"more than {check['limit']:.2f}: its speed-up is overestimated"
        why = too_good if one.is_too_slow else "which is impossible: measure again"
        yield Text(text=f"{summary}, {why}.", warns=True)


def _ratios(measured: Sequence[Measured]) -> Table:
    """Ratios of the arms: a column per method if there are few, else a row."""
    names = ("", *(title for title, _ in _RATIOS), "stage one", "cache", "break-even")
    columns = [names, *map(_ratio_cells, measured)]
    is_wide = len(measured) > _BESIDE
    first, *rows = columns if is_wide else zip(*columns, strict=True)
    caption = "Ratios of the arms. Ceiling: the ratio that a cache without any cost would reach"
    numeric = (False, *[True] * (len(first) - 1))
    return Table(columns=tuple(first), rows=tuple(map(tuple, rows)), numeric=numeric, caption=caption)


def _ratio_cells(one: Measured) -> tuple[str, ...]:
    ratios = ("-" if one.found.get(key) is None else f"{one.found[key]:.3f}" for _, key in _RATIOS)
    stage_one, size = duration_text(one.found["stage_one_s"]), size_text(one.found["store_bytes"])
    return (one.title, *ratios, stage_one, size, epochs_text(one.found["break_even_epochs"]))


def _facts(measured: Sequence[Measured]) -> Iterator[Facts]:
    """The settings that all cases share."""
    cases = [one.case for one in measured]
    sizes = ("teacher_image_size", "student", "image_size", "data", "batch_size")
    names = ("teacher", "teacher_dtype", *sizes, "precision", "tf32", "threads")
    shown = {name: list(dict.fromkeys(str(case[name]) for case in cases if case.get(name))) for name in names}
    pairs = tuple((name.replace("_", " "), ", ".join(values)) for name, values in shown.items() if values)
    meters = dict.fromkeys(str(case["memory_meter"]) for case in cases if case.get("memory_meter"))
    yield Facts(title="What was measured", pairs=(*pairs, ("memory meter", ", ".join(meters) or "-")))


def _caption(found: Mapping[str, Any], data: Arms) -> str:
    words = "Bars: the parts of a step; lines: quartiles."
    if data.live_method != data.method:
        words += f" The live teacher runs {data.live_method}, as in the paper: {data.method} needs only class means."
    here, then = found.get("memory_ratio"), found.get("memory_ratio_at_epoch")
    if here and then and number_text(here) != number_text(then):
        words += " Memory is measured with the rows of the benchmark: live/cached is"
        words += f" {number_text(here)} between steps, and {number_text(then)} with an epoch's images and targets."
    if found.get("share_of_limit") is not None:
        share = 100 * found["share_of_limit"]
        words += f" The ceiling of the speed-up is {found['time_ceiling']:.3g}; {share:.0f} % of it is reached."
    return words


def _bench_table(found: Mapping[str, Any]) -> Table:
    each = {arm: found["arms"][arm] for arm in ARMS if arm in found["arms"]}
    parts = [part for part in STEP_PARTS if any((arm.get("parts_ms") or {}).get(part) for arm in each.values())]
    names = ("arm", "ms per step", "quartiles", "samples/s", "epoch", "between steps", "peak", "host", "J per step")
    columns = names + tuple(f"{STEP_PARTS[part]}, ms" for part in parts)
    rows = tuple(_bench_row(ARMS[name], arm, parts) for name, arm in each.items())
    return Table(columns=columns, rows=rows, numeric=(False, *[True] * (len(columns) - 1)))


def _bench_row(name: str, arm: Mapping[str, Any], parts: Sequence[str]) -> tuple[str, ...]:
    spread, joules = arm.get("spread") or {}, arm.get("energy_j")
    return (
        name,
        step_text(arm["step_ms"]),
        f"{step_text(spread['low'])} - {step_text(spread['high'])}" if spread else "-",
        rate_text(arm.get("samples_per_s")),
        duration_text(arm.get("epoch_s")),
        *(size_text(arm.get(key)) for key in ("allocated_bytes", "peak_memory_bytes", "host_memory_bytes")),
        "-" if joules is None else f"{joules:.3g}",
        *(step_text((arm.get("parts_ms") or {}).get(part)) for part in parts),
    )

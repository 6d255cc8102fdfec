"""Live against cached: bars of the arms, from benchmarks, else from runs."""

from collections.abc import Iterator, Mapping, Sequence

from teachonce.benchmarks.live.records import ArmResult, MethodResult
from teachonce.plots.arms import ARMS, STEP_PARTS
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


def arms_section(material: Material) -> Section:
    """Time and memory of the arms; empty if nothing was measured both ways."""
    measured = measurements(material)
    title = "Live against cached: a step"
    if measured:
        blocks = [block for place, one in enumerate(measured[:MOST], 1) for block in _bench_arms(place, one)]
        blocks += [_ratios(measured), *_facts(measured)]
        return Section(name="arms", title=title, blocks=blocks, lead=_lead(measured))
    found = pairs(material)
    blocks = [block for place, pair in enumerate(found[:MOST], 1) for block in pair_blocks(place, pair)]
    lead = (
        "From runs, which were made at different times. teachonce bench live measures the arms in turn, "
        "and also the memory between steps."
    )
    return Section(name="arms", title=title, blocks=blocks, lead=lead)


def _lead(measured: Sequence[Measured]) -> str:
    devices = listed(list(dict.fromkeys(str(one.case.device) for one in measured)))
    summary = f"Measured on {devices}: medians and quartiles of "
    summary += f"{_counted(measured, 'rounds')} of {_counted(measured, 'steps')}"
    summary += "; each arm is a separate process, and they take turns"
    starts = max(one.case.starts for one in measured)
    summary += f"; all were started {_counted(measured, 'starts').removesuffix('starts')}times." if starts > 1 else "."
    many = f" The first {MOST} of {len(measured)}; all are in the sweep below."
    return summary + (many if len(measured) > MOST else "")


def _counted(measured: Sequence[Measured], key: str) -> str:
    """`9 rounds`, or `3 to 9 rounds` where benchmarks were asked for different numbers."""
    counts = [getattr(one.case, key) for one in measured]
    least, most = min(counts), count_text(max(counts), key.removesuffix("s"))
    return most if least == max(counts) else f"{least:,} to {most}"


def _bench_arms(place: int, one: Measured) -> Iterator[Block]:
    arms, check = one.found.arms.each, one.check
    yield arms_figure(place, one.title, arms, _caption(one), _bench_table(arms))
    if not check.within:
        summary = f"The live arm took {check.ratio:.2f} times the teacher's forward and a student's step together"
        too_good = f"more than {check.limit:.2f}: its speed-up is overestimated"
        why = too_good if check.is_too_slow else "which is impossible: measure again"
        yield Text(text=f"{summary}, {why}.", warns=True)


def _ratios(measured: Sequence[Measured]) -> Table:
    """Ratios of the arms: a column per method if there are few, else a row."""
    names = ("", *(title for title, _ in _cells(measured[0].found)))
    columns = [names, *((one.title, *(cell for _, cell in _cells(one.found))) for one in measured)]
    is_wide = len(measured) > _BESIDE
    first, *rows = columns if is_wide else zip(*columns, strict=True)
    caption = "Ratios of the arms. Ceiling: the ratio that a cache without any cost would reach"
    return Table(columns=tuple(first), rows=tuple(map(tuple, rows)), caption=caption)


def _cells(found: MethodResult) -> list[tuple[str, str]]:
    ratios = (
        ("live/cached, time", found.speedup),
        ("its ceiling", found.time_ceiling),
        ("share of the ceiling", found.share_of_limit),
        ("live/cached, memory between steps", found.memory_ratio),
        ("its ceiling", found.memory_ceiling),
        ("share of the ceiling", found.share_of_memory_limit),
        ("the same with an epoch's images and targets", found.memory_ratio_at_epoch),
        ("its ceiling", found.memory_ceiling_at_epoch),
        ("the same without images and targets", found.memory_ratio_without_data),
        ("live/cached, memory at the peak", found.peak_memory_ratio),
        ("cached/constant, time", found.overhead_cache),
        ("cached/constant, memory between steps", found.memory_overhead_cache),
        ("the same with an epoch's images and targets", found.memory_overhead_cache_at_epoch),
        ("constant/student only, time", found.overhead_loss),
    )
    return [
        *((title, "-" if ratio is None else f"{ratio:.3f}") for title, ratio in ratios),
        ("stage one", duration_text(found.stage_one_s)),
        ("cache", size_text(round(found.store_bytes))),
        ("break-even", epochs_text(found.break_even_epochs)),
    ]


def _facts(measured: Sequence[Measured]) -> Iterator[Facts]:
    """The settings that all cases share."""
    cases = [one.case for one in measured]
    sizes = ("teacher_image_size", "student", "image_size", "data", "batch_size")
    names = ("teacher", "teacher_dtype", *sizes, "precision", "tf32", "threads")
    shown = {name: list(dict.fromkeys(str(own) for case in cases if (own := getattr(case, name)))) for name in names}
    pairs = tuple((name.replace("_", " "), ", ".join(values)) for name, values in shown.items() if values)
    meters = dict.fromkeys(case.memory_meter for case in cases if case.memory_meter)
    yield Facts(title="What was measured", pairs=(*pairs, ("memory meter", ", ".join(meters) or "-")))


def _caption(one: Measured) -> str:
    words, found = "Bars: the parts of a step; lines: quartiles.", one.found
    if found.live_method not in (None, one.method):
        words += f" The live teacher runs {found.live_method}, as in the paper: {one.method} needs only class means."
    here, then = found.memory_ratio, found.memory_ratio_at_epoch
    if here and then and number_text(here) != number_text(then):
        words += " Memory is measured with the rows of the benchmark: live/cached is"
        words += f" {number_text(here)} between steps, and {number_text(then)} with an epoch's images and targets."
    if found.share_of_limit is not None:
        share = 100 * found.share_of_limit
        words += f" The ceiling of the speed-up is {found.time_ceiling:.3g}; {share:.0f} % of it is reached."
    return words


def _bench_table(arms: Mapping[str, ArmResult]) -> Table:
    parts = [part for part in STEP_PARTS if any(arm.parts_ms.get(part) for arm in arms.values())]
    names = ("arm", "ms per step", "quartiles", "samples/s", "epoch", "between steps", "peak", "host", "J per step")
    columns = names + tuple(f"{STEP_PARTS[part]}, ms" for part in parts)
    rows = tuple(_bench_row(ARMS[name], arm, parts) for name, arm in arms.items())
    return Table(columns=columns, rows=rows)


def _bench_row(name: str, arm: ArmResult, parts: Sequence[str]) -> tuple[str, ...]:
    return (
        name,
        step_text(arm.step_ms),
        f"{step_text(arm.spread.low)} - {step_text(arm.spread.high)}" if arm.spread else "-",
        rate_text(arm.samples_per_s),
        duration_text(arm.epoch_s),
        *map(size_text, (arm.allocated_bytes, arm.peak_memory_bytes, arm.host_memory_bytes)),
        "-" if arm.energy_j is None else f"{arm.energy_j:.3g}",
        *(step_text(arm.parts_ms.get(part)) for part in parts),
    )

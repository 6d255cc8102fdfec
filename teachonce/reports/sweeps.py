"""A sweep of `bench live`: its ratios by setting, and where the figures of the papers hold."""

from collections.abc import Iterator, Sequence

from teachonce.methods.clip_embed_kd import MEMORY_CLAIM, TIME_CLAIM
from teachonce.plots.draw.sweep import draw_sweep
from teachonce.plots.sweep import Sweep, SweepPoint, sweep
from teachonce.reports.gather import Material
from teachonce.reports.measured import Measured, measurements
from teachonce.reports.page import Block, Figure, Section, Table, Text
from teachonce.texts import epochs_text, ratio_text

_SWEEP = ("setting", "speed-up", "quartiles", "ceiling", "between steps", "ceiling", "at the peak", "break-even")
_FEW = 3  # settings that a sentence names


def sweep_section(material: Material) -> Section | None:
    """Ratios over all settings, a figure per method; None if no method was measured with two settings."""
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
    summary = f"At most {ratio_text(fastest.speedup)} faster, of {len(data.points)} settings"
    yield Figure(
        name=f"sweep-{place}",
        title=f"{data.method}: live over cached",
        caption="Larger is better for the cache. Ticks: the ceiling that a cache without any cost would reach.",
        alt=f"Points of the speed-up and the memory ratios by setting. {summary}.",
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
    """The settings for which the figures of the paper hold: a sentence, and a table if there are many."""
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

"""A sweep of `bench live`: its ratios by setting, and where the figures of the papers hold."""

from collections.abc import Iterator, Sequence

from teachonce.methods.clip_embed_kd import MEMORY_CLAIM, TIME_CLAIM
from teachonce.plots.draw.sweep import CLAIMING, draw_sweep
from teachonce.reports.gather import Material
from teachonce.reports.measured import Measured, measurements
from teachonce.reports.page import Block, Figure, Section, Table, Text
from teachonce.texts import epochs_text, ratio_text

_SWEEP = ("setting", "speed-up", "quartiles", "ceiling", "between steps", "ceiling", "at the peak", "break-even")
_FEW = 3  # settings that a sentence names


def sweep_section(material: Material) -> Section:
    """Ratios over all settings, a figure per method; empty if no method was measured with two settings."""
    methods: dict[str, list[Measured]] = {}
    for one in measurements(material):
        methods.setdefault(one.method, []).append(one)
    many = {method: found for method, found in methods.items() if len(found) > 1}
    blocks = [block for place, found in enumerate(many.values(), 1) for block in _sweep_blocks(place, found)]
    title = "Batch size, precision, teacher"
    return Section(name="sweep", title=title, blocks=blocks)


def _sweep_blocks(place: int, measured: Sequence[Measured]) -> Iterator[Block]:
    cases, method = [one.case for one in measured], measured[0].method
    fastest = max(one.found.speedup for one in measured)
    summary = f"At most {ratio_text(fastest)} faster, of {len(measured)} settings"
    yield Figure(
        name=f"sweep-{place}",
        title=f"{method}: live over cached",
        caption="Larger is better for the cache. Ticks: the ceiling that a cache without any cost would reach.",
        alt=f"Points of the speed-up and the memory ratios by setting. {summary}.",
        draw=lambda width: draw_sweep(cases, method, width),
        table=Table(columns=_SWEEP, rows=list(map(_sweep_row, measured))),
    )
    if method in CLAIMING:
        yield from _claims(measured)


def _sweep_row(one: Measured) -> tuple[str, ...]:
    found, spread = one.found, one.found.spread.get("speedup")
    return (
        one.setting or "-",
        ratio_text(found.speedup),
        f"{spread[0]:.3g} - {spread[1]:.3g}" if spread else "-",
        ratio_text(found.time_ceiling),
        ratio_text(found.memory_ratio_of_epoch),
        ratio_text(found.memory_ceiling_of_epoch),
        ratio_text(found.peak_memory_ratio),
        epochs_text(found.break_even_epochs),
    )


def _claims(found: Sequence[Measured]) -> Iterator[Block]:
    """The settings for which the figures of the paper hold: a sentence, and a table if there are many."""
    holds = [tuple(one.found.claims.values()) for one in found]
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
            rows=[
                (one.setting or "-", *("yes" if is_so else "-" for is_so in line))
                for one, line in zip(found, holds, strict=True)
            ],
            texts=(0, 1, 2, 3, 4),
            caption=f"{MEMORY_CLAIM:.0f} times less memory, and {TIME_CLAIM:.0f} times less time",
        )


def _at(settings: Sequence[str], count: int) -> str:
    if not settings:
        return f"at none of {count} settings"
    names = dict.fromkeys(settings)  # one may have been measured twice
    named = f" ({'; '.join(names)})" if len(names) <= _FEW else ""
    return f"at {len(settings)} of {count} settings{named}"

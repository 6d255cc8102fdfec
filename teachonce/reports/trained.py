"""Live against cached, from runs that differ only in the source of their targets."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from teachonce.benchmarks.live.records import ArmResult, Quartiles
from teachonce.intervals import Difference
from teachonce.plots.arms import ARMS
from teachonce.plots.draw.arms import draw_arms
from teachonce.plots.runs import Run, comparable
from teachonce.reports.chance import chance_text, run_difference
from teachonce.reports.page import Block, Figure, Table, Text
from teachonce.reports.pairs import Pair, epoch_seconds, quartiles, step_ms
from teachonce.reports.scores import values_of
from teachonce.texts import duration_text, points_text, share_text, size_text, step_text


def pair_arms(place: int, pair: Pair) -> Figure:
    """Bars of runs with the live teacher, from the cache, and without a teacher."""
    each = {"student-only": pair.without, "cached": pair.cached, "live": pair.live}
    arms = {arm: _arm(runs) for arm, runs in each.items() if runs}
    which = comparable(run for runs in each.values() for run in runs)
    rows = tuple(_run_row(ARMS[arm], runs, which) for arm, runs in each.items() if runs)
    columns = ("arm", "runs", "ms per step", "quartiles over epochs", "epoch", "device peak", "host peak", "top-1")
    table = Table(columns=columns, rows=rows)
    seeds = f"The median of {pair.seeds} seeds" if pair.seeds > 1 else "One seed"
    return arms_figure(
        place, f"{pair.label}: {pair.student}", arms, f"{seeds}; lines are quartiles over epochs.", table
    )


def pair_blocks(place: int, pair: Pair) -> Iterator[Block]:
    """The bars, and the difference in accuracy."""
    yield pair_arms(place, pair)
    which = comparable((*pair.cached, *pair.live))
    both = zip(pair.cached, pair.live, strict=True)
    found = [one for own, live in both if (one := run_difference(own, live, which)) is not None]
    if found:
        yield Text(text=_accuracy_text(which, found))


def _accuracy_text(which: str, found: Sequence[Difference]) -> str:
    summary = f"{which.capitalize()} top-1 from the cache minus with the live teacher: "
    if len(found) == 1:
        return f"{summary}{chance_text(found[0])}. One seed; the variance between seeds is not included."
    values = [one.value for one in found]
    spread = f"sd {100 * statistics.stdev(values):.2f} points over {len(values)} seeds"
    return f"{summary}{points_text(statistics.fmean(values))} in the mean, {spread}."


def _arm(runs: Sequence[Run]) -> ArmResult:
    low, high = quartiles(runs)
    return ArmResult(
        step_ms=step_ms(runs),
        spread=Quartiles(low=low, high=high),
        epoch_s=epoch_seconds(runs),
        peak_memory_bytes=_peak([run.result.peak_memory_bytes for run in runs]),
    )


def _run_row(name: str, runs: Sequence[Run], which: str) -> tuple[str, ...]:
    low, high = quartiles(runs)
    return (
        name,
        str(len(runs)),
        step_text(step_ms(runs)),
        f"{step_text(low)} - {step_text(high)}",
        duration_text(epoch_seconds(runs)),
        size_text(_peak([run.result.peak_memory_bytes for run in runs])),
        size_text(_peak([run.result.host_memory_bytes for run in runs])),
        _accuracy(runs, which),
    )


def _accuracy(runs: Sequence[Run], which: str) -> str:
    """The mean, and the kind of data."""
    values = values_of(runs, which)
    return f"{share_text(statistics.fmean(values))} ({which})" if len(values) == len(runs) else "-"


def _peak(peaks: Sequence[int | None]) -> int | None:
    """The largest; None if one has none."""
    known = [peak for peak in peaks if peak is not None]
    return max(known) if len(known) == len(peaks) else None


def arms_figure(place: int, title: str, arms: Mapping[str, ArmResult], caption: str, table: Table) -> Figure:
    """The bars of the arms, with their numbers."""
    summary = "; ".join(f"{ARMS[name]} {step_text(arm.step_ms)} ms" for name, arm in arms.items())
    return Figure(
        name=f"arms-{place}",
        title=title,
        caption=caption,
        alt=f"Bars of the step time in ms: {summary}.",
        draw=lambda width: draw_arms(arms, width),
        table=table,
    )

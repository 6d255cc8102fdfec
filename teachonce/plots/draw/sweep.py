"""Speed-up and memory ratios of a sweep: a row per setting, a dot per batch size, a tick for its ceiling."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from teachonce.benchmarks.live.records import CaseResult, MethodResult
from teachonce.methods.clip_embed_kd import MEMORY_CLAIM, TIME_CLAIM
from teachonce.plots.draw.bars import name_rows
from teachonce.plots.figure import INK, PALE, blank, is_narrow, legend_below, style, text_size
from teachonce.plots.texts import broken

CLAIMING = ("clip-embed-kd", "clip-teacher-kd")
"""Methods to which the figures of CLIP-Embed-KD (arXiv 2404.06170) apply."""
_STEP = 0.14  # inches between two dots of a row
_LETTERS = {True: 12, False: 20}  # of a line of a name, narrow and wide
_LINE = 0.17  # inches of a line of a name
_FRAME = 0.95  # inches of a panel beside its rows
_WIDE = 12  # a larger range of ratios gets a logarithmic axis


@dataclass(frozen=True)
class _Panel:
    title: str
    across: str
    reached: Callable[[MethodResult], float | None]
    ceiling: Callable[[MethodResult], float | None]
    claim: float | None = None


_RATIO = "live / cached"
_PANELS = (
    _Panel("Time", _RATIO, lambda found: found.speedup, lambda found: found.time_ceiling, TIME_CLAIM),
    _Panel(
        "Memory",
        "live / cached,\nbetween steps",
        lambda found: found.memory_ratio_of_epoch,
        lambda found: found.memory_ceiling_of_epoch,
        MEMORY_CLAIM,
    ),
    _Panel("Peak memory", _RATIO, lambda found: found.peak_memory_ratio, lambda found: found.peak_memory_ceiling),
)
_CLAIM: dict[str, Any] = {"color": INK, "linewidth": 1.2, "linestyle": (0, (4, 2))}
Point = tuple[CaseResult, MethodResult]
_LOOK: dict[str, Any] = {"linestyle": "", "markersize": 7}


def draw_sweep(cases: Sequence[CaseResult], method: str, width: float) -> Figure:
    """Draw ratios of live to cached: dots as measured, ticks for the ceilings, a line for the paper's figure.

    Args:
        cases: Each with this method.
        method: Its name.
        width: Inches; panels are stacked if it is narrow.
    """
    points = [(case, case.methods[method]) for case in cases]
    rows = _rows(points, _LETTERS[is_narrow(width)])
    batches = sorted({case.batch_size for case in cases})
    panels = [panel for panel in _PANELS if any(panel.reached(found) is not None for _, found in points)]
    panels = panels if method in CLAIMING else [replace(panel, claim=None) for panel in panels]
    stacked = is_narrow(width)
    with style(size=text_size(width)):
        lines = max(name.count("\n") for name in rows) + 1
        tall = _FRAME + max(_LINE * lines + 0.06, _STEP * (len(batches) + 1)) * len(rows)
        figure = blank(width, tall * (len(panels) if stacked else 1) + 0.5)
        shape = (len(panels), 1) if stacked else (1, len(panels))
        for axes, panel in zip(figure.subplots(*shape, squeeze=False, sharey=True).flat, panels, strict=True):
            _fill(axes, panel, rows, batches)
        legend_below(figure, _legend(batches, panels), most=len(batches) + 2)
    return figure


def _rows(points: Sequence[Point], letters: int) -> dict[str, list[Point]]:
    """Points by the settings that differ (case, precision, compiled), one per line; batch sizes share a row."""
    words = [(case.title, case.precision, "compiled" if case.compile else "eager") for case, _ in points]
    differing = [place for place in range(3) if len({word[place] for word in words}) > 1] or [0]
    rows: dict[str, list[Point]] = {}
    for point, word in zip(points, words, strict=True):
        name = "\n".join(broken(word[place], letters) for place in differing)
        rows.setdefault(name, []).append(point)
    return rows


def _fill(axes: Axes, panel: _Panel, rows: Mapping[str, Sequence[Point]], batches: Sequence[int]) -> None:
    name_rows(axes, list(rows))
    values = [1.0]
    for place, points in enumerate(rows.values()):
        for case, found in points:
            batch = batches.index(case.batch_size)
            y = _height(place, batch, len(batches))
            values += _dot(axes, y, panel.reached(found), panel.ceiling(found), _colour(batch, len(batches)))
    axes.axvline(1, color="#888888", linewidth=1, zorder=1)
    if panel.claim is not None:
        values.append(panel.claim)
        axes.axvline(panel.claim, zorder=1, **_CLAIM)
    for place in range(1, len(rows)):
        axes.axhline(place - 0.5, color=PALE, linewidth=0.6, zorder=0)
    _scale(axes, values)
    axes.set_xlabel(panel.across)
    axes.set_title(panel.title, loc="left")


def _height(row: int, place: int, count: int) -> float:
    """The vertical position of a dot, so that equal ratios do not overlap."""
    return row + 0.7 * ((place + 0.5) / count - 0.5)


def _dot(axes: Axes, y: float, value: float | None, limit: float | None, colour: Any) -> list[float]:
    """Draw a point with its ceiling; returns both values."""
    if value is None:
        return []
    if limit is not None:
        axes.plot([value, limit], [y, y], color=colour, linewidth=1, zorder=2)
        axes.plot([limit], [y], marker="|", color=colour, markeredgewidth=2, zorder=4, **_LOOK | {"markersize": 8.5})
    axes.plot([value], [y], marker="o", color=colour, markeredgecolor="white", zorder=3, **_LOOK)
    return [value, limit if limit is not None else value]


def _scale(axes: Axes, values: Sequence[float]) -> None:
    low, high = min(values), max(values)
    if high > _WIDE * low:
        axes.set_xscale("log")
        axes.set_xlim(0.8 * low, 1.25 * high)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _position: f"{x:g}"))
    else:
        axes.set_xlim(0, 1.08 * high)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10)))


def _colour(place: int, count: int) -> Any:
    """From dark (the smallest batch) to bright."""
    return mpl.colormaps["viridis"](0.3 + 0.5 * place / max(count - 1, 1))


def _legend(batches: Sequence[int], panels: Sequence[_Panel]) -> list[Line2D]:
    handles = [
        Line2D([], [], marker="o", color=_colour(place, len(batches)), label=f"batch {size:,}", **_LOOK)
        for place, size in enumerate(batches)
    ]
    handles.append(Line2D([], [], marker="|", color=INK, markeredgewidth=2, label="ceiling", **_LOOK))
    claims = [panel.claim for panel in panels if panel.claim is not None]
    if claims:
        summary = " and ".join(f"{claim:g}x" for claim in claims)
        handles.append(Line2D([], [], label=f"the paper's {summary}", **_CLAIM))
    return handles

"""Accuracy over training cost, from the cache and live, and what the costs are made of."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, Formatter, FuncFormatter, MaxNLocator, NullFormatter

from teachonce.plots.cost import CostPoint, Costs
from teachonce.plots.figure import COLOURS, INK, blank, legend_below, per_cent, style
from teachonce.plots.macs import PARTS

_MARKERS = "os^Dv"
_SIZE, _LETTERS, _LINE = 8, 28, 0.17  # points of a marker; letters of a line of a name, and its inches
_PART_COLOURS = dict(zip(PARTS, ("#4a4a4a", "#8d8d8d", "#c8c8c8", "#cc79a7"), strict=True))
_PART_NAMES = {"teacher": "teacher", "assistants": "assistants", "rdm": "RDMs", "student": "student"}


def draw_costs(costs: Costs) -> Figure:
    """Draw points: filled what was cached, hollow the same with everything live; bars of one standard deviation.

    The names at the right are the legend of the points.
    """
    points = costs.points
    with style():
        lines = max(wrapped(point.label).count("\n") for point in points) + 1
        figure = blank(12, max(4.6, 1.9 + max(0.56, _LINE * lines + 0.06) * len(points)))
        left, right = figure.subplots(1, 2)
        _scatter(left, costs)
        _bars(right, points)
        legend_below(figure, _legend(points), most=7)
    return figure


def _scatter(axes: Axes, costs: Costs) -> None:
    for place, point in enumerate(costs.points):
        colour, marker, y = _colour(place), _marker(place), point.accuracy_mean
        look: dict[str, Any] = {"marker": marker, "markersize": _SIZE, "color": colour, "linestyle": ""}
        if _differs(point):
            axes.plot([point.cached_macs, point.live_macs], [y, y], color=colour, linewidth=1, linestyle=":", zorder=1)
            axes.plot([point.live_macs], [y], markerfacecolor="white", zorder=2, **look)
        axes.errorbar([point.cached_macs], [y], yerr=point.accuracy_sd, elinewidth=1.4, capsize=3, zorder=3, **look)
    axes.set_xscale("log")
    axes.margins(x=0.08, y=0.12)
    axes.xaxis.set_major_formatter(_macs())
    axes.xaxis.set_minor_formatter(_between(costs.points))
    axes.set(xlabel="training cost (forward multiply-accumulates)", title="Accuracy over training cost")
    per_cent(axes, "y", f"{costs.accuracy} top-1")


def _bars(axes: Axes, points: Sequence[CostPoint]) -> None:
    for place, point in enumerate(points):
        if _differs(point):
            _stack(axes, place - 0.2, point.cached_parts)
            _stack(axes, place + 0.2, point.live_parts, hatch="////")
            ratio = f", x {point.cached_macs / point.live_macs:.2g}"
            _tell(axes, point.cached_macs, place - 0.2, ratio)
        else:
            _stack(axes, place, point.cached_parts)
            _tell(axes, point.cached_macs, place, "")
        look: dict[str, Any] = {"markersize": _SIZE, "color": _colour(place), "clip_on": False}
        axes.plot([-0.03], [place], marker=_marker(place), transform=axes.get_yaxis_transform(), **look)
    axes.set_yticks(range(len(points)), [wrapped(point.label) for point in points])
    axes.tick_params(axis="y", length=0, pad=19)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 1.2 * max(point.live_macs for point in points))
    axes.xaxis.set_major_formatter(_macs())
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set(xlabel="training cost (forward multiply-accumulates)", title="What it is made of")


def _stack(axes: Axes, y: float, parts: Mapping[str, int], hatch: str | None = None) -> None:
    start = 0
    for part in PARTS:
        colour = _PART_COLOURS[part]
        axes.barh(y, parts[part], 0.36, start, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
        start += parts[part]


def wrapped(label: str) -> str:
    """A name in short lines that end after a comma or a space; of longer words the beginning and the end."""
    lines = [""]
    for word in re.findall("[^ ,]+[ ,]*", label):
        if len(word.rstrip()) > _LETTERS:
            word = f"{word[: _LETTERS // 2]}…{word[-_LETTERS // 2 + 1 :]}"
        if lines[-1] and len(lines[-1] + word.rstrip()) > _LETTERS:
            lines.append("")
        lines[-1] += word
    return "\n".join(line.rstrip() for line in lines)


def _tell(axes: Axes, x: float, y: float, more: str) -> None:
    """The cost in numbers at the end of a bar."""
    axes.text(x, y, f"  {EngFormatter(places=1).format_eng(x)}{more}", va="center", fontsize=9)


def _legend(points: Sequence[CostPoint]) -> list[Any]:
    look: dict[str, Any] = {"linestyle": "", "markersize": _SIZE, "marker": "o", "color": INK}
    used = [part for part in PARTS if any(point.live_parts[part] for point in points)]
    parts = [Patch(color=_PART_COLOURS[part], label=_PART_NAMES[part]) for part in used]
    if not any(_differs(point) for point in points):
        return parts
    filled = Line2D([], [], label="from the cache", **look)
    hollow = Line2D([], [], markerfacecolor="white", label="live", **look)
    return [filled, hollow, *parts, Patch(facecolor="#888888", hatch="////", edgecolor="white", label="live")]


def _differs(point: CostPoint) -> bool:
    """Whether there is anything to cache."""
    return point.cached_macs != point.live_macs


def _between(points: Sequence[CostPoint]) -> Formatter:
    """Numbers of the steps between powers of ten: those with room, where the axis has hardly such a power."""
    values = [value for point in points for value in (point.cached_macs, point.live_macs)]
    if max(values) >= 10 * min(values):
        return NullFormatter()
    every = _macs()
    return (
        every
        if max(values) < 2 * min(values)
        else FuncFormatter(lambda x, _: every(x) if f"{x:e}"[0] in "2357" else "")
    )


def _macs() -> EngFormatter:
    """`142 P`."""
    return EngFormatter(places=None)


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _marker(place: int) -> str:
    return _MARKERS[place % len(_MARKERS)]

"""Accuracy over training cost, from the cache and live, and the parts of the cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, Formatter, FuncFormatter, MaxNLocator, NullFormatter, NullLocator
from matplotlib.transforms import ScaledTranslation

from teachonce.plots.cost import CostPoint, Costs
from teachonce.plots.figure import COLOURS, INK, blank, is_narrow, legend_below, per_cent, style, text_size
from teachonce.plots.macs import PARTS
from teachonce.plots.texts import broken, inches

_MARKERS = "os^Dv"
_SIZE, _LINE = 8, 0.17  # points of a marker; inches of a line of a name
_LETTERS, _NARROW_LETTERS = 28, 14  # of a line of a name
_BESIDE, _SCATTER = 9.0, 3.1  # inches that two panels side by side need; of height of the points
_FAR = 100  # beyond this ratio, ticks at powers of ten suffice
_FRAME = 0.8  # inches: padding around a panel, its markers and between a name and its row
_COST = "training cost\n(forward multiply-accumulates)"
_PART_COLOURS = dict(zip(PARTS, ("#4a4a4a", "#8d8d8d", "#c8c8c8", "#cc79a7"), strict=True))
OTHER = "other source of targets: computed, not run"
_PART_NAMES = {"teacher": "teacher", "assistants": "assistants", "rdm": "RDMs", "student": "student"}


def draw_costs(costs: Costs, width: float = 12) -> Figure:
    """Draw a point per setting: filled from the cache, hollow with a live teacher; error bars of one sd over seeds.

    The other panel has the cost of each, and hatched the computed cost with the other source of targets.

    The names of the bars are the legend of the points.

    Args:
        costs: The points.
        width: Inches; points and bars are stacked if it is narrow.
    """
    points = costs.points
    with style(size=text_size(width)):
        names = [wrapped(point.label, _NARROW_LETTERS if is_narrow(width) else _LETTERS) for point in points]
        lines = max(name.count("\n") for name in names) + 1
        tall = 1.9 + max(0.56, _LINE * lines + 0.06) * len(points)
        if width < _BESIDE:
            figure = blank(width, _SCATTER + tall)
            first, second = figure.subplots(2, 1, height_ratios=(_SCATTER, max(tall - 1, 1)))
        else:
            figure = blank(width, max(4.6, tall))
            first, second = figure.subplots(1, 2)
        _scatter(first, costs, width)
        _bars(second, points, names, width if width < _BESIDE else width / 2)
        legend_below(figure, _legend(points), most=7)
    return figure


def _scatter(axes: Axes, costs: Costs, width: float) -> None:
    for place, point in enumerate(costs.points):
        look: dict[str, Any] = {"marker": _marker(place), "markersize": _SIZE, "color": _colour(place), "linestyle": ""}
        if point.is_live:
            look["markerfacecolor"] = "white"
        axes.errorbar([point.macs], [point.accuracy_mean], yerr=point.accuracy_sd, elinewidth=1.4, capsize=3, **look)
    axes.set_xscale("log")
    axes.margins(x=0.08, y=0.12)
    axes.xaxis.set_major_formatter(_macs())
    axes.xaxis.set_minor_formatter(_between(costs.points))
    if is_narrow(width) and _spread(costs.points) < 10:
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel=_COST, title="Accuracy over cost" if is_narrow(width) else "Accuracy over training cost")
    per_cent(axes, "y", f"{costs.accuracy} top-1")


def _bars(axes: Axes, points: Sequence[CostPoint], names: Sequence[str], width: float) -> None:
    size = float(mpl.rcParams["font.size"])
    room = max(width - _FRAME - max(inches(line, size) for name in names for line in name.split("\n")), 1.0)
    most = float(max(point.live_macs for point in points))
    left = ScaledTranslation(-10 / 72, 0, axes.figure.dpi_scale_trans)
    for place, point in enumerate(points):
        for y, parts, hatch in _bars_of(place, point):
            _stack(axes, y, parts, hatch)
            macs = sum(parts.values())
            text = f"  {_short(macs)}"
            most = max(most, macs * room / max(room - inches(text, 9), 0.2 * room))
            axes.text(macs, y, text, va="center", fontsize=9)
        look: dict[str, Any] = {"markersize": _SIZE, "color": _colour(place), "clip_on": False}
        axes.plot([0], [place], marker=_marker(place), transform=axes.get_yaxis_transform() + left, **look)
    axes.set_yticks(range(len(points)), names)
    axes.tick_params(axis="y", length=0, pad=19)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 1.03 * most)
    axes.xaxis.set_major_formatter(_macs())
    axes.xaxis.set_major_locator(MaxNLocator(3 if is_narrow(width) else 5))
    axes.set(xlabel=_COST, title="Parts of the cost")


def _bars_of(place: int, point: CostPoint) -> list[tuple[float, Mapping[str, int], str | None]]:
    """Position, parts and hatch of the bars of a point: as trained, and with the other source of targets."""
    own, other = point.cached_parts, point.live_parts
    if not _differs(point):
        return [(place, own, None)]
    own, other = (other, own) if point.is_live else (own, other)
    return [(place - 0.2, own, None), (place + 0.2, other, "////")]


def _stack(axes: Axes, y: float, parts: Mapping[str, int], hatch: str | None = None) -> None:
    start = 0
    for part in PARTS:
        colour = _PART_COLOURS[part]
        axes.barh(y, parts[part], 0.36, start, color=colour, hatch=hatch, edgecolor="white", linewidth=0)
        start += parts[part]


def wrapped(label: str, letters: int = _LETTERS) -> str:
    """A name in short lines; see `broken`."""
    return broken(label, letters)


def _short(macs: float) -> str:
    """`142.0 P`."""
    return EngFormatter(places=1).format_eng(macs)


def _legend(points: Sequence[CostPoint]) -> list[Any]:
    look: dict[str, Any] = {"linestyle": "", "markersize": _SIZE, "marker": "o", "color": INK}
    used = [part for part in PARTS if any(point.live_parts[part] for point in points)]
    parts = [Patch(color=_PART_COLOURS[part], label=_PART_NAMES[part]) for part in used]
    if not any(_differs(point) for point in points):
        return parts
    filled = Line2D([], [], label="from the cache, or no teacher", **look)
    hollow = Line2D([], [], markerfacecolor="white", label="live teacher", **look)
    other = Patch(facecolor="#888888", hatch="////", edgecolor="white", label=OTHER)
    return [filled, *([hollow] if any(point.is_live for point in points) else []), *parts, other]


def _differs(point: CostPoint) -> bool:
    """Whether the costs from the cache and live differ."""
    return point.cached_macs != point.live_macs


def _between(points: Sequence[CostPoint]) -> Formatter:
    """Labels of ticks between powers of ten, if the axis has few powers of ten."""
    if _spread(points) >= _FAR:
        return NullFormatter()
    every = _macs()
    if _spread(points) < 2:
        return every
    shown = "2357" if _spread(points) < 10 else "25"
    return FuncFormatter(lambda x, _: every(x) if f"{x:e}"[0] in shown else "")


def _spread(points: Sequence[CostPoint]) -> float:
    """The largest cost over the smallest."""
    values = [point.macs for point in points]
    return max(values) / min(values)


def _macs() -> EngFormatter:
    """`142 P`."""
    return EngFormatter(places=None)


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _marker(place: int) -> str:
    return _MARKERS[place % len(_MARKERS)]

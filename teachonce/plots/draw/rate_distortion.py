"""The panels of a rate-distortion curve: over R, over the rate, and the rate over epochs."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from teachonce.plots.figure import INK, blank, legend_below, per_cent, style, text_size
from teachonce.plots.rate_distortion import RdmCurve, RdmPoint
from teachonce.plots.texts import inches

_LINES = ("-", "--", ":", "-.")
_PANEL, _LEAST = 3.7, 3.2  # inches that a panel has, and has at least
_BESIDE = 1.2  # inches of a panel that are not between the lowest R and the highest
_WIDE = 20  # a range of more than this factor is shown in logarithms


def draw_rate_distortion(curves: Sequence[RdmCurve], width: float | None = None) -> Figure:
    """Draw curves; an RDM has the same colour in every panel; line styles distinguish curves.

    Args:
        curves: One or more.
        width: Inches; None: panels over R in one row, those over the rate in another.
    """
    points = [point for curve in curves for point in curve.points]
    names = {"top1": "accuracy", "bits": "rate", "distortion": "distortion"}
    there = [name for name in names if any(getattr(point, name) is not None for point in points)]
    below = [name for name in there if name != "bits"]
    across = len(there) if width is None else max(1, min(len(there), int(width / _LEAST)))
    wide = _PANEL * across + 0.4 if width is None else width
    with style(size=text_size(wide)):
        rows = -(-2 * len(there) // across)
        figure = blank(wide, 3.1 * rows + 0.4)
        grid = list(figure.subplots(rows, across, squeeze=False).flat)
        over = [("distortion_weight", name, "R") for name in there] + [("bits", name, "rate") for name in below]
        for axes, (x, y, title) in zip(grid, over, strict=False):
            _over(axes, curves, x, y, f"{names[y].capitalize()} over {title}", (wide - 0.4) / across)
        _training(grid[len(over)], curves)
        for axes in grid[len(over) + 1 :]:
            axes.remove()
        legend_below(figure, _legend(curves), most=2 * len(there))
    return figure


def _over(axes: Axes, curves: Sequence[RdmCurve], across: str, up: str, title: str, panel: float) -> None:
    colours = _colours(curves)
    for index, curve in enumerate(curves):
        points = [point for point in curve.points if getattr(point, up) is not None]
        x, y = ([getattr(point, key) for point in points] for key in (across, up))
        axes.plot(x, y, color="#888888", linewidth=1.2, linestyle=_line(index), zorder=1)
        axes.scatter(x, y, c=[colours[_key(point)] for point in points], s=46, zorder=2, edgecolors="white")
        if up == "top1" and curve.parent_top1 is not None:
            axes.axhline(curve.parent_top1, color=INK, linewidth=1.2, linestyle=(0, (6, 2)))
    shown = [point for curve in curves for point in curve.points if getattr(point, up) is not None]
    values = [getattr(point, across) for point in shown]
    if across == "distortion_weight":
        _weights(axes, values, panel - _BESIDE)
    else:
        _scale(axes, "x", values)
    _label(axes, "x", across, curves)
    if up == "top1":
        per_cent(axes, "y", "validation top-1")
    else:
        _scale(axes, "y", [getattr(point, up) for point in shown])
        _label(axes, "y", up, curves)
    axes.set_title(title)


def _training(axes: Axes, curves: Sequence[RdmCurve]) -> None:
    colours = _colours(curves)
    for index, curve in enumerate(curves):
        for point in curve.points:
            colour = colours[_key(point)]
            axes.plot(point.epochs, point.bits_by_epoch, color=colour, linestyle=_line(index))
            best = point.bits_by_epoch[point.epochs.index(point.best_epoch)]
            axes.plot([point.best_epoch], [best], marker="o", color=colour, markeredgecolor="white")
    _scale(axes, "y", [bits for curve in curves for point in curve.points for bits in point.bits_by_epoch])
    axes.set(xlabel="epoch (dot: the one kept)", ylabel="rate (bits a sample)", title="Rate in training")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if all(len(point.epochs) == 1 for curve in curves for point in curve.points):
        axes.set_xlim(0.5, 1.5)


def _legend(curves: Sequence[RdmCurve]) -> list[Line2D]:
    colours = _colours(curves)
    weights = dict(
        sorted({point.distortion_weight: colours[_key(point)] for c in curves for point in c.points}.items())
    )
    dots: dict[str, Any] = {"linestyle": "", "marker": "o"}
    handles = [
        Line2D([], [], color=colour, label=f"R = {number(weight)}", **dots) for weight, colour in weights.items()
    ]
    if any(curve.parent_top1 is not None for curve in curves):
        names = ", ".join(dict.fromkeys(curve.parent for curve in curves))
        handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=(0, (6, 2)), label=names))
    if len(curves) > 1:
        lines = enumerate(curves)
        handles += [Line2D([], [], color="#888888", linestyle=_line(i), label=_curve_name(i, c)) for i, c in lines]
    return handles


def _curve_name(index: int, curve: RdmCurve) -> str:
    return f"{curve.parent}, {curve.preset} ({index + 1})"


def _line(index: int) -> Any:
    return _LINES[index % len(_LINES)]


def _key(point: RdmPoint) -> float:
    return point.distortion_weight


def _colours(curves: Sequence[RdmCurve]) -> dict[float, Any]:
    """A colour for each R, from dark (small) to bright."""
    weights = sorted({point.distortion_weight for curve in curves for point in curve.points})
    colours = mpl.colormaps["viridis"]
    steps = max(len(weights) - 1, 1)
    return {weight: colours(0.3 + 0.53 * place / steps) for place, weight in enumerate(weights)}


def _label(axes: Axes, which: str, name: str, curves: Sequence[RdmCurve]) -> None:
    kinds = ";\n".join(dict.fromkeys(c.distortion_kind for c in curves if c.distortion_kind is not None))
    words = {
        "distortion_weight": "R, the weight on distortion" if kinds else "R, the weight on CE and KL",
        "bits": "rate (bits a sample)",
        "distortion": f"distortion\n({kinds})" if ";" in kinds else f"distortion ({kinds})",
    }
    (axes.set_xlabel if which == "x" else axes.set_ylabel)(words[name])


def _weights(axes: Axes, weights: Sequence[float], across: float) -> None:
    """A logarithmic axis of R, with a tick at each R if its label fits."""
    axes.set_xscale("log")
    logs = sorted({math.log10(weight) for weight in weights})
    inch = (logs[-1] - logs[0]) / across
    shown: list[tuple[float, float]] = []
    for value in logs:
        half = (inches(number(10**value)) / 2 + 0.05) * inch
        if not shown or value - half > shown[-1][0] + shown[-1][1]:
            shown.append((value, half))
    axes.xaxis.set_major_locator(FixedLocator([10**value for value, _ in shown]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: number(value)))


def _scale(axes: Axes, which: str, values: Sequence[float]) -> None:
    """A logarithmic axis if the range is large, with plain numbers as labels."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    if min(values) > 0 and max(values) > _WIDE * min(values):
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(_Numbers(axis))


class _Numbers(Formatter):
    """Tick labels with as many digits as needed, the same for all."""

    def __init__(self, of: Axis) -> None:
        self._of = of

    def __call__(self, x: float, pos: int | None = None) -> str:
        """One tick."""
        ticks = [*map(float, self._of.get_majorticklocs()), x]
        return next((number(x, more) for more in range(9) if all(_exact(tick, more) for tick in ticks)), number(x))


def _exact(value: float, more: int) -> bool:
    return math.isclose(float(number(value, more).replace(",", "")), value, rel_tol=1e-9, abs_tol=1e-12)


def number(value: float, more: int = 0) -> str:
    """Up to four digits and so many more, with thousands separators: `10,000`, `0.8`, `1e-07`."""
    return f"{value:,.{more}f}" if abs(value) >= 1000 else f"{value:.{4 + more}g}"

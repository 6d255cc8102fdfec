"""Time over epochs, live and from the cache; with the break-even."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from teachonce.benchmarks.live.payoff import Costs
from teachonce.plots.draw.arms import ARM_COLOURS
from teachonce.plots.figure import INK, blank, is_narrow, legend_below, style, text_size
from teachonce.plots.texts import digits
from teachonce.texts import epochs_text

_UNITS = ((3600.0, "hours", "h"), (60.0, "minutes", "min"), (1.0, "seconds", "s"))
_APART = 2.6  # a crossing in this first part of the epochs gets a panel of its own
_FAR = 3  # a crossing beyond so many times the epochs is not drawn


def draw_break_even(data: Costs, width: float) -> Figure:
    """Draw the total time after each epoch; the line of the cache begins with stage one and the RDMs.

    If the crossing is early, one panel shows it and another the whole run.

    Args:
        data: Of a method.
        width: Inches.
    """
    ranges = _ranges(data)
    with style(size=text_size(width)):
        stacked = is_narrow(width)
        figure = blank(width, (2.35 * len(ranges) if stacked else 2.6) + 0.45)
        shape = (len(ranges), 1) if stacked else (1, len(ranges))
        for axes, (title, last) in zip(figure.subplots(*shape, squeeze=False).flat, ranges, strict=True):
            _lines(axes, data, last)
            axes.set_title(title, loc="left")
        look: dict[str, Any] = {"linewidth": 2.4}
        handles = [
            Line2D([], [], color=ARM_COLOURS["cached"], label="cached", **look),
            Line2D([], [], color=ARM_COLOURS["live"], label="live teacher", **look),
        ]
        legend_below(figure, handles, most=2)
    return figure


def _ranges(data: Costs) -> list[tuple[str, float]]:
    """Titles of the panels, and the last epoch of each."""
    crossing = data.crossing
    whole = f"One student, {epochs_text(data.epochs)}"
    if not crossing or crossing > _FAR * data.epochs:
        return [(whole, data.epochs)]
    if crossing < data.epochs / _APART:
        return [("Until break-even", 2.4 * crossing), (whole, data.epochs)]
    return [("Break-even", max(data.epochs, 1.4 * crossing))]


def _lines(axes: Axes, data: Costs, last: float) -> None:
    unit, name, short = next(
        (entry for entry in _UNITS if max(data.cached_s(last), data.live_s(last)) >= 1.5 * entry[0]), _UNITS[-1]
    )
    for arm, at in (("cached", data.cached_s), ("live", data.live_s)):
        axes.plot([0, last], [at(0) / unit, at(last) / unit], color=ARM_COLOURS[arm], linewidth=2.4, zorder=3)
    axes.set(xlim=(0, last), xlabel="epochs", ylabel=name)
    axes.set_ylim(0, 1.08 * max(data.cached_s(last), data.live_s(last)) / unit)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 5, 10)))
    crossing = data.crossing
    if crossing is not None and last / _APART <= crossing <= last:
        paid = data.live_s(crossing) / unit
        _mark(
            axes,
            crossing,
            paid,
            f"{epochs_text(crossing)},\n{digits(paid, 2)} {short}",
            before=crossing > last / 2,
        )


def _mark(axes: Axes, x: float, y: float, text: str, *, before: bool) -> None:
    """A dot with its numbers, placed where they do not cover a line."""
    axes.plot([x, x], [0, y], color=INK, linewidth=1, linestyle=":", zorder=2)
    axes.plot([x], [y], marker="o", markersize=8, color=INK, zorder=4)
    look: dict[str, Any] = {"textcoords": "offset points", "fontweight": "bold"}
    if before:
        axes.annotate(text, (x, y), (-8, 8), ha="right", va="bottom", **look)
    else:
        axes.annotate(text, (x, y), (8, -12), va="top", **look)

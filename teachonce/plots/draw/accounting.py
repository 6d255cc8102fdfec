"""Training costs as stacked bars, with the figures of the paper."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from teachonce.benchmarks.parts import MacsBench, Scheme
from teachonce.plots.draw.bars import end_texts, name_rows
from teachonce.plots.figure import INK, blank, is_narrow, legend_below, style, text_size
from teachonce.plots.macs import PARTS
from teachonce.plots.texts import broken, digits

_COLOURS = dict(zip(PARTS, ("#ffa90e", "#a96b59", "#832db6", "#3f90da"), strict=True))
_NAMES = dict(zip(PARTS, ("teacher", "assistants", "RDMs", "student"), strict=True))
_BAR, _ROW = 0.6, 0.4  # share of a row that is bar; inches of a row
_UNITS = ((15, "P"), (12, "T"), (9, "G"), (6, "M"))
_POWERS = dict(zip("PTGM", ("\u00b9\u2075", "\u00b9\u00b2", "\u2079", "\u2076"), strict=True))
_LETTERS = {True: 14, False: 26}  # of a line of a name, narrow and wide


def draw_accounting(data: MacsBench, width: float) -> Figure:
    """Draw a bar per scheme, its cost and ratio at the end, and a mark for the paper's figure.

    Args:
        data: What was counted.
        width: Inches.
    """
    with style(size=text_size(width)):
        figure = blank(width, _ROW * len(data.schemes) + 1.5)
        _bars(figure.subplots(), data, width)
        used = [part for part in PARTS if any(scheme.parts.get(part) for scheme in data.schemes)]
        handles: list[Patch | Line2D] = [Patch(color=_COLOURS[part], label=_NAMES[part]) for part in used]
        if any(data.said(scheme) is not None for scheme in data.schemes):
            handles.append(Line2D([], [], label="the paper's figure", **_MARK))
        legend_below(figure, handles, most=5)
    return figure


_MARK: dict[str, Any] = {"linestyle": "", "marker": "D", "markersize": 6, "color": INK, "markerfacecolor": "white"}


def _bars(axes: Axes, data: MacsBench, width: float) -> None:
    """Label all bars in the unit of the reference."""
    base = data.base
    unit, letter = next(((10.0**power, letter) for power, letter in _UNITS if base.macs >= 10**power), (1.0, ""))
    ends = []
    for place, scheme in enumerate(data.schemes):
        start, said = 0.0, data.said(scheme)
        for part in PARTS:
            cost = scheme.parts.get(part, 0) / unit
            axes.barh(place, cost, _BAR, start, color=_COLOURS[part])
            start += cost
        if said is not None:
            axes.plot([said / unit], [place], zorder=3, **_MARK)
        ends.append(max(scheme.macs, said or 0.0) / unit)
    names = [broken(scheme.label, _LETTERS[is_narrow(width)]) for scheme in data.schemes]
    name_rows(axes, names)
    end_texts(axes, ends, [_summary(scheme, base, unit, letter) for scheme in data.schemes], names=names, width=width)
    axes.xaxis.set_major_locator(MaxNLocator(3 if is_narrow(width) else 6, steps=(1, 2, 5, 10)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: digits(value)))
    what = f" ({letter} = 10{_POWERS[letter]})" if letter else ""
    axes.set_xlabel(f"forward MACs{what},\nx: times {base.label}")


def _summary(scheme: Scheme, base: Scheme, unit: float, letter: str) -> str:
    """`762 P, 1.08x`."""
    cost = f"{digits(scheme.macs / unit)} {letter}".rstrip()
    return cost if scheme.label == base.label else f"{cost}, {digits(scheme.macs / base.macs)}x"


def short(macs: float) -> str:
    """Three digits and a letter: `762 P`."""
    power, letter = next((entry for entry in _UNITS if macs >= 10 ** entry[0]), (0, ""))
    return f"{digits(macs / 10**power)} {letter}".rstrip()

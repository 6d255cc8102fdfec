"""Training costs as stacked bars, with the figures of the paper."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from teachonce.plots.accounting import Accounting, SchemeBar
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


def draw_accounting(data: Accounting, width: float) -> Figure:
    """Draw a bar per scheme, its cost and ratio at the end, and a mark for the paper's figure.

    Args:
        data: The schemes.
        width: Inches.
    """
    with style(size=text_size(width)):
        figure = blank(width, _ROW * len(data.bars) + 1.5)
        _bars(figure.subplots(), data, width)
        used = [part for part in PARTS if any(bar.parts[part] for bar in data.bars)]
        handles: list[Patch | Line2D] = [Patch(color=_COLOURS[part], label=_NAMES[part]) for part in used]
        if any(bar.paper_macs is not None for bar in data.bars):
            handles.append(Line2D([], [], label="the paper's figure", **_MARK))
        legend_below(figure, handles, most=5)
    return figure


_MARK: dict[str, Any] = {"linestyle": "", "marker": "D", "markersize": 6, "color": INK, "markerfacecolor": "white"}


def _bars(axes: Axes, data: Accounting, width: float) -> None:
    """Label all bars in the unit of the reference."""
    reference = next(bar.macs for bar in data.bars if bar.label == data.reference)
    unit, letter = next(((10.0**power, letter) for power, letter in _UNITS if reference >= 10**power), (1.0, ""))
    for place, bar in enumerate(data.bars):
        start = 0.0
        for part in PARTS:
            axes.barh(place, bar.parts[part] / unit, _BAR, start, color=_COLOURS[part])
            start += bar.parts[part] / unit
        if bar.paper_macs is not None:
            axes.plot([bar.paper_macs / unit], [place], zorder=3, **_MARK)
    names = [broken(bar.label, _LETTERS[is_narrow(width)]) for bar in data.bars]
    name_rows(axes, names)
    ends = [max(float(bar.macs), bar.paper_macs or 0.0) / unit for bar in data.bars]
    texts = [_summary(bar, data.reference, unit, letter) for bar in data.bars]
    end_texts(axes, ends, texts, names=names, width=width)
    axes.xaxis.set_major_locator(MaxNLocator(3 if is_narrow(width) else 6, steps=(1, 2, 5, 10)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _position: digits(value)))
    what = f" ({letter} = 10{_POWERS[letter]})" if letter else ""
    axes.set_xlabel(f"forward MACs{what},\nx: times {data.reference}")


def _summary(bar: SchemeBar, reference: str, unit: float, letter: str) -> str:
    """`762 P, 1.08x`."""
    cost = f"{digits(bar.macs / unit)} {letter}".rstrip()
    return cost if bar.label == reference else f"{cost}, {digits(bar.ratio)}x"


def short(macs: float) -> str:
    """Three digits and a letter: `762 P`."""
    power, letter = next((entry for entry in _UNITS if macs >= 10 ** entry[0]), (0, ""))
    return f"{digits(macs / 10**power)} {letter}".rstrip()

"""The panels of training curves: accuracy and loss over epochs, side by side or stacked."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from teachonce.plots.curves import Curve, Line
from teachonce.plots.figure import COLOURS, blank, is_narrow, legend_below, per_cent, style, text_size

_PANEL, _ROW = 2.6, 0.24  # inches: of a panel's height, of a row of the legend
_FEW = 5
_LIVE = ", live"
_DASHES = ("-", (0, (1, 1)), (0, (5, 1.5, 1, 1.5)))
_DASHED = (0, (4, 2))


def draw_curves(curves: Sequence[Curve], width: float = 7.5) -> Figure:
    """Draw curves; bands are the range over seeds. Live runs are dashed, in the colour of the cached ones."""
    narrow = is_narrow(width)
    with style(size=text_size(width)):
        figure = blank(width, (2 if narrow else 1) * _PANEL + 2 * _ROW)
        accuracy, loss = figure.subplots(2, 1) if narrow else figure.subplots(1, 2)
        for curve in curves:
            _draw(accuracy, curve, curve.val_top1, curves)
            _draw(loss, curve, curve.loss, curves)
        per_cent(accuracy, "y", "validation top-1")
        loss.set_ylabel("training loss")
        _scale(loss, [curve.loss.mean for curve in curves])
        accuracy.set_title("Validation accuracy")
        loss.set_title("Training loss")
        for axes in (accuracy, loss):
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        legend_below(figure, [_handle(curve, curves) for curve in curves], most=2 if narrow else 4)
    return figure


def _draw(axes: Axes, curve: Curve, line: Line, curves: Sequence[Curve]) -> None:
    if np.isnan(line.mean).all():
        return
    colour, dashes = _look(curve, curves)
    axes.plot(curve.epochs, line.mean, color=colour, linestyle=dashes, marker="o" if len(curve.epochs) == 1 else "")
    if curve.seeds > 1:
        axes.fill_between(curve.epochs, line.low, line.high, color=colour, alpha=_band(len(curves)), linewidth=0)


def _band(curves: int) -> float:
    """The opacity of a band: lower if there are many."""
    return 0.15 if curves <= _FEW else 0.07


def _handle(curve: Curve, curves: Sequence[Curve]) -> Line2D:
    colour, dashes = _look(curve, curves)
    return Line2D([], [], color=colour, linestyle=dashes, label=curve.label)


def _look(curve: Curve, curves: Sequence[Curve]) -> tuple[str, Any]:
    """Colour and line style of a curve: ten colours per line style; live and cached share a colour."""
    names = list(dict.fromkeys(_name(one) for one in curves))
    place = names.index(_name(curve))
    line: Any = _DASHES[place // len(COLOURS) % len(_DASHES)]
    return COLOURS[place % len(COLOURS)], _DASHED if curve.is_live else line


def _name(curve: Curve) -> str:
    return curve.label.replace(_LIVE, "") if curve.is_live else curve.label


def _scale(axes: Axes, lines: Sequence[np.ndarray]) -> None:
    """A logarithmic axis if the losses differ in magnitude."""
    values = np.concatenate(lines)
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > 20 * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())

"""Horizontal bars: one per row, the name at the left, the number at the end."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes

from teachonce.plots.texts import inches

_FRAME = 0.45  # inches: padding around a panel and between a name and its row


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """A row for each name, the first at the top, `0.5` from the frame."""
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def end_texts(axes: Axes, ends: Sequence[float], texts: Sequence[str], *, names: Sequence[str], width: float) -> None:
    """A number at the end of each row, and an axis from 0 with space for the widest.

    Args:
        axes: Of the rows.
        ends: Where the rows end.
        texts: What stands there.
        names: Of the rows.
        width: Inches that the panel has, its names included.
    """
    size = float(mpl.rcParams["font.size"])
    room = max(width - _FRAME - max(inches(line, size) for name in names for line in name.split("\n")), 0.8)
    free = [room - inches(text, size) - 0.14 for text in texts]
    most = max(end * room / max(left, 0.2 * room) for end, left in zip(ends, free, strict=True))
    axes.set_xlim(0, most or 1)
    for place, (end, text) in enumerate(zip(ends, texts, strict=True)):
        axes.annotate(text, (end, place), (7, 0), textcoords="offset points", va="center")

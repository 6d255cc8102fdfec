"""The panels of t-SNE maps, one per target, and a legend of the classes."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from teachonce.plots.figure import COLOURS, blank, is_narrow, legend_below, style, text_size
from teachonce.plots.texts import families, in_two
from teachonce.plots.tsne import Maps, Panel

_MARKERS = "o^sD"
_PANEL, _ACROSS = 3.1, 4  # inches; panels in a row at most
_LINE = 0.22  # inches: a second line of a title
_LEAST, _TALLEST = 2.4, 3.6  # inches that a panel is wide at least, and high at most


def draw_tsne(maps: Maps, width: float | None = None) -> Figure:
    """Draw maps: a colour per class, and also a marker if there are more than ten.

    Args:
        maps: One panel a target.
        width: Inches; None: as many as the panels of a row take.
    """
    count = len(maps.panels)
    across = min(count, _ACROSS if width is None else max(1, int(width / _LEAST)))
    down = math.ceil(count / across)
    wide = max(_PANEL * across, 4.6) if width is None else width
    room = _PANEL if width is None else width / across
    with style(families(maps.class_names.values())[0], size=text_size(wide)):
        titles = [in_two(panel.target, room - 0.3, 12, bold=True) for panel in maps.panels]
        second = _LINE * any("\n" in title for title in titles)
        figure = blank(wide, (min(room, _TALLEST) + second) * down + 0.9)
        grid = list(figure.subplots(down, across, squeeze=False).flat)
        for axes, panel, title in zip(grid, maps.panels, titles, strict=False):
            _draw(axes, panel, maps, room)
            axes.set_title(title, pad=19)
        for axes in grid[count:]:
            axes.remove()
        if maps.class_names:
            legend_below(figure, _legend(maps), most=max(4, 3 * across))
        same = ", the same in each panel" if count > 1 else ""
        figure.suptitle(f"t-SNE of {len(maps.rows):,} rows{same}", fontsize=9 if is_narrow(wide) else 10)
    return figure


def _draw(axes: Axes, panel: Panel, maps: Maps, room: float) -> None:
    size = float(np.clip(9000 / len(maps.rows), 4, 26))
    for place, label in enumerate(maps.class_names or {-1: ""}):
        x, y = panel.xy[maps.labels == label].T
        axes.scatter(x, y, s=size, c=_colour(place), marker=_marker(place), alpha=0.75, linewidths=0)
    what = "embedding" if panel.array == "image_embedding" else panel.array
    summary = f"{what}, {panel.width:,} wide"
    if panel.distinct < len(maps.rows):
        summary += f", {panel.distinct:,} distinct"
    look: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center", "fontsize": 9}
    axes.annotate(summary, (0.5, 1), (0, 5), **look)
    axes.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
    if room > _TALLEST:
        axes.set_box_aspect(1)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(True)


def _legend(maps: Maps) -> list[Line2D]:
    return [
        Line2D([], [], linestyle="", marker=_marker(place), color=_colour(place), label=name)
        for place, name in enumerate(maps.class_names.values())
    ]


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _marker(place: int) -> str:
    return _MARKERS[place // len(COLOURS) % len(_MARKERS)]

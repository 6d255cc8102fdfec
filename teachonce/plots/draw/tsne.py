"""The panels of t-SNE maps, one a target, and one legend of the classes."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from teachonce.plots.figure import COLOURS, blank, legend_below, style
from teachonce.plots.texts import families, fitted
from teachonce.plots.tsne import Maps, Panel

_MARKERS = "o^sD"
_PANEL, _ACROSS = 3.1, 4  # inches; panels in a row at most


def draw_tsne(maps: Maps) -> Figure:
    """Draw maps: a colour a class, and where there are more than ten, a marker too."""
    count = len(maps.panels)
    across = min(count, _ACROSS)
    down = math.ceil(count / across)
    with style(families(maps.class_names.values())[0]):
        figure = blank(max(_PANEL * across, 4.6), _PANEL * down + 0.9)
        grid = list(figure.subplots(down, across, squeeze=False).flat)
        for axes, panel in zip(grid, maps.panels, strict=False):
            _draw(axes, panel, maps)
        for axes in grid[count:]:
            axes.remove()
        if maps.class_names:
            legend_below(figure, _legend(maps), most=max(4, 3 * across))
        same = ", the same in each panel" if count > 1 else ""
        figure.suptitle(f"t-SNE of {len(maps.rows):,} rows{same}", fontsize=10)
    return figure


def _draw(axes: Axes, panel: Panel, maps: Maps) -> None:
    size = float(np.clip(9000 / len(maps.rows), 4, 26))
    for place, label in enumerate(maps.class_names or {-1: ""}):
        x, y = panel.xy[maps.labels == label].T
        axes.scatter(x, y, s=size, c=_colour(place), marker=_marker(place), alpha=0.75, linewidths=0)
    what = "embedding" if panel.array == "image_embedding" else panel.array
    told = f"{what}, {panel.width:,} wide"
    if panel.distinct < len(maps.rows):
        told += f", {panel.distinct:,} distinct"
    axes.set_title(f"{fitted(panel.target, _PANEL - 0.15, 11, bold=True)}\n", pad=2)
    axes.text(0.5, 1.02, told, transform=axes.transAxes, ha="center", fontsize=9)
    axes.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
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

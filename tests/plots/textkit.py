"""Whether the texts of a picture can be read: none outside, none on another, none too small."""

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

LEAST_POINTS = 8.5
_SLACK = 1.0  # pixels: boxes of texts have more room than letters


def assert_readable(figure: Figure, width: float) -> None:
    """Fail where a text is cut off, lies on another one or is too small."""
    figure.draw_without_rendering()
    assert figure.get_figwidth() == width
    hidden = {label for axes in figure.axes for label in _hidden(axes)}
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = [(text, text.get_window_extent()) for text in texts if text not in hidden]
    assert boxes
    for text, box in boxes:
        assert text.get_fontsize() >= LEAST_POINTS, text
        over = (-box.x0, -box.y0, box.x1 - figure.bbox.x1, box.y1 - figure.bbox.y1)
        assert max(over) <= _SLACK, (text, box, figure.bbox.bounds)
    for (one, first), (other, second) in combinations(boxes, 2):
        assert not _touch(first, second), (one, other)


def _hidden(axes: Axes) -> set[Text]:
    """Labels of ticks beyond the ends of an axis: they are there, but not drawn."""
    labels: set[Text] = set()
    for axis in (axes.xaxis, axes.yaxis):
        drawn = set(axis._update_ticks())
        every = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        labels |= {label for tick in every if tick not in drawn for label in (tick.label1, tick.label2)}
    return labels


def _touch(one: Bbox, other: Bbox) -> bool:
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    down = min(one.y1, other.y1) - max(one.y0, other.y0)
    return bool(across > _SLACK and down > _SLACK)

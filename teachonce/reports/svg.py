"""Figures as inline SVG: colours are CSS variables, ids are unique in the page, glyph outlines are stored once.

Text is drawn as outlines, so that a figure looks the same in every browser.
"""

import io
import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import matplotlib as mpl
import numpy as np
from matplotlib.collections import Collection
from matplotlib.figure import Figure as Drawing

from teachonce.plots.figure import INK, style
from teachonce.reports.colours import variable
from teachonce.reports.page import Figure
from teachonce.texts import printable

_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
_MANY = 300  # points of a collection that stay vector graphics; more are rasterised
_PIXELS = 200  # per inch, of rasterised parts of an SVG
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
_LONG = re.compile(r"-?\d+\.\d{3,}")
_URL = re.compile(r"url\(#([^)]+)\)")
_DIGITS = 2  # after the decimal point


class SvgRenderer:
    """Renders the figures of one page."""

    def __init__(self) -> None:
        self.colours: set[str] = {INK}
        """Of all figures so far."""
        self._glyphs: dict[tuple[str, str], str] = {}
        self._ids = 0

    def draw(self, figure: Figure, width: float) -> str:
        """A figure as an `<svg>` element that is as wide as its parent.

        Args:
            figure: What to draw.
            width: Inches that it is laid out for.
        """
        root = ElementTree.fromstring(_raw(figure, width))
        for name in ("width", "height", "version"):
            root.attrib.pop(name, None)
        root.attrib |= {"aria-hidden": "true", "focusable": "false"}
        for unwanted in [*root.findall("{*}metadata"), *_styles(root)]:
            root.remove(unwanted)
        self._share_glyphs(root)
        self._rename(root)
        for element in root.iter():
            self._repaint(element)
        return _text(root)

    def glyphs(self) -> str:
        """The outlines of all glyphs, for one hidden `<svg>` of the page."""
        return "".join(
            f'<path id="{name}" d="{path}" transform="{place}"/>' for (path, place), name in self._glyphs.items()
        )

    def _share_glyphs(self, root: Element) -> None:
        """Replace the outlines in text by references to those of the page."""
        names: dict[str, str] = {}
        for group in _texts(root):
            group.set("class", "t")
            for parent in list(group.iter()):
                for defs in parent.findall(f"{_SVG}defs"):
                    names |= {path.attrib["id"]: self._glyph(path) for path in defs}
                    parent.remove(defs)
        for use in root.iter(f"{_SVG}use"):
            known = names.get(use.attrib[_LINK][1:])
            if known is not None:
                use.set(_LINK, f"#{known}")

    def _glyph(self, path: Element) -> str:
        outline = " ".join(path.attrib.get("d", "").split()), path.attrib.get("transform", "")
        return self._glyphs.setdefault(outline, f"l{len(self._glyphs)}")

    def _rename(self, root: Element) -> None:
        """New ids, unique in the page, for elements that are referenced; the others lose theirs."""
        named = {element.attrib["id"]: element for element in root.iter() if "id" in element.attrib}
        links = {word for element in root.iter() for word in _links(element)} & set(named)
        names = {old: self._next() for old in sorted(links)}
        for old, element in named.items():
            element.attrib.pop("id") if old not in names else element.set("id", names[old])
        for element in root.iter():
            link = element.attrib.pop(_LINK, "")
            if link:
                element.set("href", f"#{names[link[1:]]}" if link[1:] in names else link)
            for key, value in element.attrib.items():
                element.set(key, _URL.sub(lambda match: f"url(#{names[match[1]]})", value))

    def _next(self) -> str:
        self._ids += 1
        return f"i{self._ids}"

    def _repaint(self, element: Element) -> None:
        for key, value in list(element.attrib.items()):
            if key in ("style", "fill", "stroke"):
                element.set(key, _COLOUR.sub(self._variable, value))
            elif key in ("d", "x", "y", "width", "height", "points"):
                element.set(key, " ".join(_LONG.sub(_short, value).split()))

    def _variable(self, match: re.Match[str]) -> str:
        colour = match[0].lower()
        self.colours.add(colour)
        return variable(colour)


def png(figure: Figure, width: float) -> bytes:
    """A figure as PNG on white, laid out for a width in inches."""
    with style():
        buffer = io.BytesIO()
        figure.draw(width).savefig(buffer, format="png", dpi=_PIXELS)
    return buffer.getvalue()


def _raw(figure: Figure, width: float) -> str:
    with style(), mpl.rc_context({"svg.hashsalt": f"{figure.name}-{width}"}):
        drawing, buffer = figure.draw(width), io.StringIO()
        _flatten(drawing)
        drawing.savefig(buffer, format="svg", transparent=True, dpi=_PIXELS, metadata={"Date": None})
    return printable(buffer.getvalue())  # matplotlib writes each text into a comment, unescaped


def _flatten(drawing: Drawing) -> None:
    """Rasterise collections of many points."""
    for axes in drawing.axes:
        for cloud in axes.findobj(Collection):
            if np.size(cloud.get_offsets()) > 2 * _MANY:
                cloud.set_rasterized(True)


def _styles(root: Element) -> Iterator[Element]:
    """Matplotlib's style sheet, which would apply to the whole page."""
    return (defs for defs in root.findall(f"{_SVG}defs") if defs.find(f"{_SVG}style") is not None)


def _texts(root: Element) -> list[Element]:
    return [group for group in root.iter(f"{_SVG}g") if group.attrib.get("id", "").startswith("text_")]


def _links(element: Element) -> Iterator[str]:
    if _LINK in element.attrib:
        yield element.attrib[_LINK][1:]
    for value in element.attrib.values():
        yield from _URL.findall(value)


def _short(match: re.Match[str]) -> str:
    return f"{float(match[0]):.{_DIGITS}f}".rstrip("0").rstrip(".")


def _text(root: Element) -> str:
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.text = element.tail = None
    return ElementTree.tostring(root, encoding="unicode")

"""A page as one HTML file: no script, nothing from the network, light and dark, on a phone and on a desk."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from teachonce.events import SILENT, Events
from teachonce.reports.colours import rules
from teachonce.reports.page import Block, Figure, Page
from teachonce.reports.svg import Atelier
from teachonce.reports.words import is_short, kept
from teachonce.texts import printable

WIDE, NARROW = 7.5, 3.4
"""Inches that each picture is laid out for: a column on a desk, and a phone."""
BADGES = {
    "cached": "The cache pays",
    "live": "The live teacher is better",
    "mixed": "It depends",
    "open": "Not decided",
}


def render_html(page: Page, *, events: Events = SILENT) -> bytes:
    """Write a page as HTML. Everything it says is escaped; the same page gives the same bytes.

    Args:
        page: What it says.
        events: Who watches the drawing.
    """
    templates = Environment(
        loader=PackageLoader("teachonce.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.tests |= {"kind": _is_kind, "short": is_short}
    templates.filters["kept"] = kept
    atelier = Atelier()
    drawings = _drawings(page, atelier, events)
    text = templates.get_template("report.html.j2").render(
        page=page,
        badge=BADGES[page.pays],
        drawings=drawings,
        letters=Markup(atelier.letters()),
        day=Markup(rules(atelier.colours, dark=False)),
        night=Markup(rules(atelier.colours, dark=True)),
        version=version("teachonce"),
    )
    return printable(text).encode()


def _drawings(page: Page, atelier: Atelier, events: Events) -> Mapping[str, Any]:
    """Name of a figure -> its pictures."""
    figures = [block for section in page.sections for block in section.blocks if isinstance(block, Figure)]
    drawn = {}
    with events.task("drawing", total=len(figures), unit="figures") as task:
        for figure in figures:
            drawn[figure.name] = {
                size: Markup(atelier.draw(figure, inches)) for size, inches in (("wide", WIDE), ("narrow", NARROW))
            }
            task.advance()
    return drawn


def _is_kind(block: Block, kind: str) -> bool:
    return type(block).__name__ == kind

"""A page as one HTML file: no script, no network, light and dark mode, narrow and wide screens."""

from importlib.metadata import version

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from teachonce.events import SILENT, Events
from teachonce.reports.colours import rules
from teachonce.reports.line_breaks import is_short, kept
from teachonce.reports.page import Block, Page
from teachonce.reports.svg import SvgRenderer
from teachonce.texts import printable

WIDE, NARROW = 7.5, 3.4
"""Width of the figures in inches, for wide screens and for phones."""
BADGES = {
    "cached": "The cache is faster overall",
    "live": "The live teacher is faster overall",
    "mixed": "It depends",
    "open": "No clear result",
}


def render_html(page: Page, *, events: Events = SILENT) -> bytes:
    """Write a page as HTML. All text is escaped; the same page gives the same bytes.

    Args:
        page: Its content.
        events: Receives the progress of drawing.
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
    renderer = SvgRenderer()
    sizes = {"wide": WIDE, "narrow": NARROW}
    drawings = page.drawn(
        lambda figure: {size: Markup(renderer.draw(figure, inches)) for size, inches in sizes.items()}, events
    )
    text = templates.get_template("report.html.j2").render(
        page=page,
        badge=BADGES[page.pays],
        drawings=drawings,
        glyphs=Markup(renderer.glyphs()),
        light=Markup(rules(renderer.colours, dark=False)),
        dark=Markup(rules(renderer.colours, dark=True)),
        version=version("teachonce"),
    )
    return printable(text).encode()


def _is_kind(block: Block, kind: str) -> bool:
    return type(block).__name__ == kind

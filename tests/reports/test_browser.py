"""The page in a real browser: nothing is fetched, nothing overlaps, nothing is cut off; and each check can fail."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from browserkit import SCHEMES, WIDTHS, opened
from matplotlib.figure import Figure as Drawing
from pagekit import figure, make_page

from teachonce.plots.figure import blank
from teachonce.reports.html import render_html
from teachonce.reports.page import Section

POLICY = '<meta http-equiv="Content-Security-Policy"'


@pytest.mark.parametrize(
    ("width", "scheme"), [*product(WIDTHS, SCHEMES), *((width, "light") for width in (320, 703, 705))]
)
def test_the_page_is_as_it_should_be(browser: Any, written: Path, width: int, scheme: str):
    with opened(browser, written, width, scheme) as seen:
        assert seen.faults() == []


def test_one_picture_of_each_figure_is_seen(browser: Any, written: Path):
    for width, shown in ((390, "narrow"), (1440, "wide")):
        with opened(browser, written, width) as seen:
            sizes = {size: seen.page.locator(f".{size}:visible").count() for size in ("narrow", "wide")}
            assert sizes == {"narrow": 0, "wide": 0} | {shown: 3}


def test_letters_of_pictures_can_be_read_on_a_phone(browser: Any, written: Path):
    with opened(browser, written, 390) as seen:
        heights = seen.page.evaluate(
            "() => [...document.querySelectorAll('#figure-bars .narrow .t')].map(t => t.getBoundingClientRect().height)"
        )
        assert min(heights) > 8  # CSS pixels, of digits


def test_colours_of_page_and_pictures_follow_the_scheme(browser: Any, written: Path):
    def colours(scheme: str) -> list[str]:
        with opened(browser, written, 1440, scheme) as seen:
            found: list[str] = seen.page.evaluate(
                "() => [getComputedStyle(document.body).backgroundColor,"
                " getComputedStyle(document.querySelector('#figure-bars .wide .t g')).fill]"
            )
            return found

    assert colours("light") == ["rgb(252, 251, 249)", "rgb(51, 51, 51)"]
    assert colours("dark") == ["rgb(19, 21, 24)", "rgb(233, 232, 229)"]


def test_hostile_names_do_nothing(browser: Any, html: str, tmp_path: Path):
    """Not even where the browser would let scripts run."""
    path = tmp_path / "bare.html"
    path.write_text(html.replace(POLICY, '<meta name="none"'))
    with opened(browser, path, 1440) as seen:
        dialogs: list[str] = []
        seen.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        seen.page.reload()
        assert seen.page.locator("script, img, a[href^=javascript]").count() == 0
        assert not dialogs


def with_style(rule: str) -> Callable[[str], str]:
    return lambda html: html.replace("</style>", f"{rule}</style>")


def with_element(element: str) -> Callable[[str], str]:
    return lambda html: html.replace(POLICY, '<meta name="none"').replace("</main>", f"{element}</main>")


@pytest.mark.parametrize(
    ("spoil", "fault", "width"),
    [
        (with_style(".tiles li > span { margin-top: -1.5rem; }"), "texts overlap", 1440),
        (with_style("nav { position: absolute; top: 9rem; left: 1rem; }"), "texts overlap", 390),
        (with_style("h1 { white-space: nowrap; overflow: hidden; }"), "text is cut off", 390),
        (with_style(".tiles strong { font-size: 9rem; white-space: nowrap; }"), "text leaves its box", 1440),
        (with_style("h1 { position: relative; left: 5rem; } body { overflow: hidden; }"), "text leaves the page", 390),
        (with_style("main { width: 2000px; }"), "the page scrolls sideways", 390),
        (with_element('<img src="http://127.0.0.1:9/x.png">'), "request: http://127.0.0.1:9/x.png", 1440),
        (with_element("<script>console.error('ouch')</script>"), "console error: ouch", 1440),
        (with_element("<script>missing()</script>"), "error: missing is not defined", 1440),
        (lambda html: html.replace("</main>", "<script>1</script></main>"), "Content Security Policy", 1440),
    ],
)
def test_a_spoilt_page_is_found(
    browser: Any, html: str, tmp_path: Path, spoil: Callable[[str], str], fault: str, width: int
):
    path = tmp_path / "spoilt.html"
    path.write_text(spoil(html))
    with opened(browser, path, width) as seen:
        assert any(fault in found for found in seen.faults())


def crowded(width: float) -> Drawing:
    """Two texts in one place."""
    drawing = blank(width, 2)
    drawing.text(0.5, 0.5, "one text")
    drawing.text(0.51, 0.52, "another one")
    return drawing


def cut(width: float) -> Drawing:
    """A text that ends outside."""
    drawing = blank(width, 2)
    drawing.text(0.95, 0.5, "a text that is too long for where it is")
    return drawing


@pytest.mark.parametrize(("draw", "fault"), [(crowded, "texts overlap"), (cut, "text leaves its picture")])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_spoilt_picture_is_found(browser: Any, tmp_path: Path, draw: object, fault: str, width: int):
    section = Section(name="one", title="One", blocks=(figure("spoilt", draw),))
    path = tmp_path / "spoilt.html"
    path.write_bytes(render_html(replace(make_page(), sections=(section,))))
    with opened(browser, path, width) as seen:
        assert any(fault in found and "figure-spoilt" in found for found in seen.faults())

"""The HTML of a page: it says everything, escapes everything, and needs nothing."""

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from pagekit import figure, make_page, texts

from teachonce.plots.figure import COLOURS
from teachonce.reports.colours import DARK, LIGHT, contrast, dark_variant
from teachonce.reports.html import BADGES, render_html
from teachonce.reports.page import Page, Section


class Reader(HTMLParser):
    """Elements, ids, links and the text that is outside of style sheets."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.values: list[str] = []
        self._words: list[str] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags[tag] += 1
        self._hidden = tag == "style"
        self._words += [] if tag in ("wbr", "span") else [" "]
        for key, value in attrs:
            self.values.append(value or "")
            self.ids += [value] if key == "id" else []
            self.links += [value] if key in ("href", "src", "xlink:href") else []
            self.links += re.findall(r"url\(([^)]+)\)", value or "")
            assert not key.startswith("on")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self._words).split())


@pytest.fixture(scope="module")
def read(html: str) -> Reader:
    return Reader(html)


def test_everything_is_said_as_it_is(read: Reader):
    missing = [text for text in texts(make_page()) if text not in read.text]
    assert not missing


def test_the_verdict_comes_first(html: str):
    assert html.index("<h1>") < html.index('class="tiles"') < html.index("<main>")
    assert html.count("<h1>") == 1


@pytest.mark.parametrize("pays", BADGES)
def test_who_wins_is_told_in_words_too(pays: str):
    html = render_html(replace(make_page(pays), sections=())).decode()
    assert f'<body class="{pays}">' in html
    assert BADGES[pays] in html


def test_nothing_hostile_is_markup(read: Reader):
    assert not [tag for tag in ("script", "img", "iframe", "object", "form") if read.tags[tag]]
    assert any("onerror=alert(2)" in value for value in read.values)  # in a description, where it is but words


def test_nothing_comes_from_elsewhere(read: Reader, html: str):
    assert {link[:1] if link[:1] == "#" else link.partition(",")[0] for link in read.links} == {
        *("#", "data:", "data:image/png;base64"),
    }
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\(['\"]?http", html)


def test_ids_are_unique_and_links_lead_somewhere(read: Reader):
    assert not [name for name, count in Counter(read.ids).items() if count > 1]
    assert {link[1:] for link in read.links if link.startswith("#")} <= set(read.ids)


def test_every_picture_has_its_words(html: str):
    assert html.count('role="img"') == html.count('aria-label="Bars: live 32.1 ms') == 3
    assert html.count('aria-hidden="true"') == 1 + 2 * 3  # letters, and each picture at two widths


def test_each_width_has_a_picture_of_its_own(html: str):
    boxes = [float(box.split()[2]) for box in re.findall(r'viewBox="([^"]+)"', html)]
    assert boxes == pytest.approx([7.5 * 72, 3.4 * 72] * 3)


def test_large_clouds_are_pixels_and_small_ones_shapes(html: str):
    assert html.count("<image ") == 2  # the first panel, at two widths


def test_no_colour_is_left_that_does_not_follow_the_scheme(html: str):
    inside = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert not re.search(r"(?<![\w&])#[0-9a-f]{6}\b", inside)
    used = set(re.findall(r"var\((--[a-z0-9]+)\)", html))
    light, dark = re.findall(r":root\{([^}]*)\}", html)
    for rules in (light, dark):
        assert {name.partition(":")[0] for name in rules.split(";") if name} >= used - {"--tone"}


def test_the_same_page_gives_the_same_bytes(html: str):
    assert render_html(make_page()).decode() == html


def test_a_page_with_nothing_to_compare():
    page = Page(title="t", verdict="v", pays="open", tiles=(), sections=())
    html = render_html(page).decode()
    assert "<nav" not in html
    assert "<aside" not in html
    assert 'class="tiles"' not in html


def test_a_figure_without_numbers_has_nothing_to_open(html: str):
    from pagekit import bars

    bare = Section(name="one", title="One", blocks=(replace(figure("bars", bars), table=None),))
    assert "<details>" in html
    assert "<details>" not in render_html(replace(make_page(), sections=(bare,))).decode()


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "soft", "cached", "live", "open"])
def test_texts_can_be_read(palette: dict[str, str], ink: str):
    """Contrast of at least 4.5 (WCAG 2.2, AA)."""
    assert min(contrast(palette[ink], palette[under]) for under in ("paper", "card")) >= 4.5


def test_colours_of_pictures_can_be_told_from_the_night():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert min(contrast(dark_variant(colour), DARK["paper"]) for colour in COLOURS) >= 4
    assert len({dark_variant(colour) for colour in COLOURS}) == len(COLOURS)
    greys = [dark_variant(colour) for colour in ("#333333", "#000000", "#ffffff")]
    assert greys == [DARK["ink"], DARK["ink"], DARK["paper"]]

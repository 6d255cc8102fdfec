"""The Markdown of a page, read by a parser: it says everything, and nothing of it is markup that was not meant."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from pagekit import IMAGE, make_page, texts

from teachonce.reports.markdown import render_markdown, shown

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
ALLOWED = {
    *("h1", "h2", "h3", "p", "strong", "ul", "li", "blockquote", "img", "pre", "code", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


class Reader(HTMLParser):
    """What a reader sees."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.images: list[tuple[str, str]] = []
        self._words: list[str] = []
        self.feed(PARSER.render(markdown))

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        if tag == "img":
            self.images.append((given["src"] or "", given["alt"] or ""))

    def handle_data(self, data: str) -> None:
        self._words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self._words).split())


@pytest.fixture(scope="module")
def written() -> tuple[str, dict[str, bytes]]:
    text, pictures = render_markdown(make_page(), "my report-files")
    return text.decode(), dict(pictures)


def test_everything_is_said_as_it_is(written: tuple[str, dict[str, bytes]]):
    read = Reader(written[0])
    assert not [text for text in texts(make_page()) if text not in read.text]
    assert read.tags <= ALLOWED


def test_pictures_are_beside_it(written: tuple[str, dict[str, bytes]]):
    text, pictures = written
    assert list(pictures) == ["bars.png", "curves.png", "maps.png"]
    assert all(data.startswith(b"\x89PNG") for data in pictures.values())
    images = Reader(text).images
    assert [source for source, _ in images] == [f"my%20report-files/{name}" for name in pictures]
    assert all(alt == f"Bars: live 32.1 ms, cached 7.05 ms {IMAGE}" for _, alt in images)


def test_tables_are_whole(written: tuple[str, dict[str, bytes]]):
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in written[0].splitlines() if line.startswith("|")]
    wide = [row for row in rows if len(row) == 14]
    assert len(wide) == 4 + 2
    assert wide[1] == ["---", *["---:"] * 13]


def test_numbers_at_the_beginning_are_numbers(written: tuple[str, dict[str, bytes]]):
    assert "**4.6x** less time a step (4.4 to 4.8" in written[0]


@pytest.mark.parametrize(
    "text",
    [
        *("1. one", "- item", "+ item", "* item", "# title", "--- rule", "===", "12) twelve", "> quoted", "- ", "1."),
        *(
            "a|b",
            "[a](b)",
            "![a](b)",
            "<b>bold</b>",
            "&lt;",
            "`a`",
            "``",
            "a_b_c",
            "__init__",
            "**",
            "~~gone~~",
            "\\",
            "\\|",
        ),
        *("https://example.org", "www.example.org", "me@example.org", "$x$", "line\nbreak", "a  b", "[^1]", "[x]"),
        *("0.5", "-0.5", "+1.2 points", "3.14.", "#1", "C#", "100 %"),
    ],
)
def test_a_line_is_shown_as_it_is(text: str):
    expected = " ".join(text.split())
    assert Reader(f"{shown(text)}\n").text == expected
    assert Reader(f"## {shown(text)}\n").text == expected
    cells = Reader(f"| a | b |\n|---|---|\n| {shown(text)} | b |\n")
    assert cells.text.replace(" ", "") == f"ab{expected}b".replace(" ", "")
    assert Reader(f"{shown(text)}\n").tags == {"p"}


def test_addresses_do_not_become_links():
    """GitHub makes links of what looks like one, unless its signs are written otherwise."""
    for text in ("https://example.org", "www.example.org", "me@example.org"):
        assert not re.search(r"https?://|www\.|\w@\w", shown(text))

"""Lines break between words, and in long names behind their signs; nothing else changes."""

import re

import pytest

from teachonce.reports.line_breaks import is_short, kept
from teachonce.reports.page import Facts

NAME = "vit:patch=4,width=256,layers=6,heads=8"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a plain text", "a plain text"),
        ("a  double space", "a  double space"),
        ("test top-1", 'test <span class="w k">top-1</span>'),
        ("90 - 91", "90 - 91"),
        (NAME, '<span class="w">vit:<wbr>patch=4,<wbr>width=256,<wbr>layers=6,<wbr>heads=8</span>'),
        ("--set a", '<span class="w k">--set</span> a'),
        ("<b-c>", '<span class="w k">&lt;b-c&gt;</span>'),
        ("<b>", "&lt;b&gt;"),
        ("", ""),
    ],
)
def test_words_are_kept(text: str, html: str):
    assert str(kept(text)) == html


def test_a_long_hostile_word_is_but_a_word():
    html = str(kept("/".join(["<script>alert(1)</script>"] * 3)))
    assert set(re.findall(r"</?\w+", html)) == {"<span", "<wbr", "</span"}


def test_many_short_facts_stand_side_by_side():
    pairs = tuple((f"library {n}", "1.0") for n in range(6))
    assert is_short(Facts(pairs=pairs))
    assert not is_short(Facts(pairs=pairs[:5]))
    assert not is_short(Facts(pairs=(*pairs, ("teacher", NAME))))

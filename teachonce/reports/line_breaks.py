"""Where lines of a page may break: between words, and in long names after punctuation."""

import re

from markupsafe import Markup, escape

from teachonce.reports.page import Facts

_LONG = 24  # characters: longer names may break after punctuation
_SIGNS = re.compile(r"(?<=[,/_:;&|+])(?=[^,/_:;&|+\s])")
_SHORT_PAIRS, _SHORT = 5, 22


def kept(text: str) -> Markup:
    """A text, escaped: lines do not break at hyphens, but after commas and the like in long names."""
    return Markup("").join(_word(part) for part in re.split(r"(\s+)", text))


def _word(part: str) -> Markup:
    if len(part) > _LONG:
        part_of_name = Markup("<wbr>").join(map(escape, _SIGNS.split(part)))
        return Markup('<span class="w">{}</span>').format(part_of_name)
    return Markup('<span class="w k">{}</span>').format(part) if "-" in part and len(part) > 1 else escape(part)


def is_short(facts: Facts) -> bool:
    """Whether there are many short facts, which are shown in two columns."""
    return len(facts.pairs) > _SHORT_PAIRS and all(len(text) <= _SHORT for pair in facts.pairs for text in pair)

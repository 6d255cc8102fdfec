"""Text in figures: width, line breaks, and installed fonts for its characters."""

import re
from collections.abc import Iterable, Iterator
from functools import cache

import matplotlib as mpl
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.textpath import text_to_path

from teachonce.processwide import unwarned

_POINTS = 72.0  # an inch
_BOXES = "Last Resort"  # matplotlib's own font: a box for every character


def inches(text: str, size: float = 10.0, *, bold: bool = False) -> float:
    """The width of a line in inches, in the current fonts, at a size in points."""
    font = FontProperties(family=mpl.rcParams["font.family"], size=size, weight="bold" if bold else "normal")
    with unwarned():  # missing characters have a width too
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / _POINTS


def fitted(text: str, room: float, size: float = 10.0, *, bold: bool = False) -> str:
    """A line shortened in the middle to at most `room` inches."""
    if inches(text, size, bold=bold) <= room:
        return text
    for kept in range(len(text) - 1, 1, -1):
        short = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
        if inches(short, size, bold=bold) <= room:
            return short
    return "…"


def in_two(text: str, room: float, size: float = 10.0, *, bold: bool = False) -> str:
    """A name on one line, or on two if it is wider than `room` inches; lines that are still wider are shortened.

    It breaks after a space, else after punctuation, so that both lines fit and the wider one is shortest.
    """
    if inches(text, size, bold=bold) <= room:
        return text
    breaks = [match.end() for match in re.finditer(r"[ ,:;/_+&|=-]+(?=[^ ])", text)]
    if not breaks:
        return fitted(text, room, size, bold=bold)

    def lines_of(place: int) -> tuple[str, str]:
        return text[:place].rstrip(), text[place:]

    def badness(place: int) -> tuple[bool, bool, float]:
        widest = max(inches(line, size, bold=bold) for line in lines_of(place))
        return widest > room, text[place - 1] != " ", widest

    best = lines_of(min(breaks, key=badness))
    return "\n".join(fitted(line, room, size, bold=bold) for line in best)


def families(texts: Iterable[str]) -> tuple[list[str], str]:
    """The default font and additional ones for other characters, and the characters that no installed font has."""
    usual = FontProperties(family="DejaVu Sans")
    missing = {letter for text in texts for letter in text if letter.isprintable()} - _letters(findfont(usual))
    names = usual.get_family()
    for entry in sorted(fontManager.ttflist, key=lambda entry: (entry.style != "normal", entry.weight != 400)):
        if missing and not entry.name.startswith(_BOXES) and missing & (has := _letters(entry.fname)):
            names.append(entry.name)
            missing -= has
    return names, "".join(sorted(missing))


@cache
def _letters(path: str) -> frozenset[str]:
    """The characters of a font file; none where it cannot be read."""
    try:
        return frozenset(map(chr, get_font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()


def broken(text: str, letters: int) -> str:
    """A name in lines of at most so many characters, without shortening.

    Lines break after a comma or a space, in longer words after other punctuation, else anywhere.
    """
    lines = [""]
    for piece in _pieces(text, letters):
        if lines[-1] and len(lines[-1] + piece.rstrip()) > letters:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _pieces(text: str, letters: int) -> Iterator[str]:
    """The parts of a name between which a line may break."""
    for word in re.findall("[^ ,]+[ ,]*|[ ,]+", text):
        is_short = len(word.rstrip()) <= letters
        for part in [word] if is_short else re.findall(r"[^-_/:;=&|+.]*[-_/:;=&|+.]+|[^-_/:;=&|+.]+", word):
            length = len(part.rstrip())
            yield from [part] if length <= letters else (part[at : at + letters] for at in range(0, length, letters))


def broken_within(text: str, room: float, size: float = 10.0) -> str:
    """A name in lines that are no wider than `room` inches; see `broken`."""
    letters = len(text)
    while inches(text, size) > room and letters > 1:
        widest = max(map(lambda line: inches(line, size), (shown := broken(text, letters)).split("\n")))
        if widest <= room:
            return shown
        letters = min(letters - 1, int(letters * room / widest) + 1)
    return text


def digits(value: float, count: int = 3) -> str:
    """A number with so many digits, thousands separators and no exponent: `1,234`, `12.3`, `0.0123`."""
    return f"{value:,.0f}" if abs(value) >= 10 ** (count - 1) else f"{value:.{count}g}"

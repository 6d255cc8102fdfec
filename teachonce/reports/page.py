"""What a report says, apart from how it is written: sections of figures, tables, facts, commands and text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from matplotlib.figure import Figure as Drawing

Verdict = Literal["cached", "live", "mixed", "open"]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells as they are shown."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    """Of each column: numbers stand to the right."""
    caption: str = ""
    strong: tuple[int, ...] = ()
    """Rows that are pointed out, such as the best."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture that is drawn for the width it is shown at, and the numbers behind it."""

    name: str
    """Unique in the page, of a-z, 0-9 and `-`; of files too."""
    title: str
    caption: str
    """What it shows and what to see in it, in a sentence or two."""
    alt: str
    """For who cannot see it: what it says, with its numbers."""
    draw: Callable[[float], Drawing]
    """Inches of width -> the picture; its height is its own. Drawn inside `plots.figure.style`."""
    table: Table | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Labels with their values."""

    pairs: tuple[tuple[str, str], ...]
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Commands:
    """Command lines, each of which can be copied."""

    lines: tuple[str, ...]
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Text:
    """A paragraph of plain text."""

    text: str
    warns: bool = False
    """It tells of something that may be wrong."""


Block = Figure | Table | Facts | Commands | Text


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page, in the order of a reader's questions."""

    name: str
    """Unique in the page, of a-z, 0-9 and `-`."""
    title: str
    blocks: tuple[Block, ...]
    lead: str = ""
    """A sentence under the title; none where empty."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One number that the page is about."""

    value: str
    label: str
    note: str = ""
    """A smaller line under it, such as the spread."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A whole report."""

    title: str
    verdict: str
    """One sentence: does the cache pay? It says so where the live teacher is better."""
    pays: Verdict
    """`mixed` where each is better for something; `open` where nothing was compared, or no difference is sure."""
    tiles: tuple[Tile, ...]
    sections: Sequence[Section]
    warnings: tuple[str, ...] = field(default=())
    """What a reader must know before believing the numbers."""

"""The content of a report, independent of its format: sections of figures, tables, facts, commands and text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from matplotlib.figure import Figure as Drawing

from teachonce.events import Events

Picture = TypeVar("Picture")
Verdict = Literal["cached", "live", "mixed", "open"]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of formatted cells."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    texts: tuple[int, ...] = (0,)
    """Columns that are aligned to the left; the others are numbers."""
    caption: str = ""
    strong: tuple[int, ...] = ()
    """Rows in bold, such as the best."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure that is drawn for the width it is shown at, and its data as a table."""

    name: str
    """Unique in the page, of a-z, 0-9 and `-`; also the file name."""
    title: str
    caption: str
    """One or two sentences."""
    alt: str
    """Alternative text for screen readers, with the numbers."""
    draw: Callable[[float], Drawing]
    """Width in inches -> the figure, of any height. Called inside `plots.figure.style`."""
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
    """Whether it is a warning."""


Block = Figure | Table | Facts | Commands | Text


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of the page."""

    name: str
    """Unique in the page, of a-z, 0-9 and `-`."""
    title: str
    blocks: Sequence[Block]
    """A section without any is left out."""
    lead: str = ""
    """A sentence under the title; may be empty."""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A key number at the top of the page."""

    value: str
    label: str
    note: str = ""
    """A smaller line under it, such as the spread."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A whole report."""

    title: str
    verdict: str
    """One sentence: is training from the cache faster overall, or with the live teacher?"""
    pays: Verdict
    """`mixed` if each is better for something; `open` if nothing was compared or no difference is significant."""
    tiles: tuple[Tile, ...]
    sections: Sequence[Section]
    warnings: tuple[str, ...] = field(default=())
    """What may be wrong with the numbers."""

    @property
    def figures(self) -> list[Figure]:
        """Of all sections, in order."""
        return [block for section in self.sections for block in section.blocks if isinstance(block, Figure)]

    def drawn(self, draw: Callable[[Figure], Picture], events: Events) -> dict[str, Picture]:
        """Name of a figure -> what `draw` makes of it; `events` receives the progress."""
        pictures = {}
        with events.task("drawing", total=len(self.figures), unit="figures") as task:
            for figure in self.figures:
                pictures[figure.name] = draw(figure)
                task.advance()
        return pictures

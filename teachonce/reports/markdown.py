"""A page as GitHub-flavoured Markdown, with its figures as PNG files in a folder."""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from urllib.parse import quote

from teachonce.events import SILENT, Events
from teachonce.reports.page import Block, Commands, Facts, Figure, Page, Table, Text
from teachonce.reports.svg import png
from teachonce.texts import printable

WIDTH = 7.5
"""Width of a figure in inches."""
_SPECIAL = re.compile(r"([\\`*_\[\]|~$^]|(?<=:)//|@|(?<=\bwww)\.)")
_LIST = re.compile(r"^(\d*)([-+=#.)])(?=[-+=#\s]|$)")


def render_markdown(page: Page, folder: str, *, events: Events = SILENT) -> tuple[bytes, Mapping[str, bytes]]:
    """Write a page as Markdown. All text is escaped.

    Args:
        page: Its content.
        folder: Name of the folder of its figures, next to the file.
        events: Receives the progress of drawing.

    Returns:
        The file, and its figures by file name.
    """
    pictures = page.drawn(lambda figure: png(figure, WIDTH), events)
    text = printable("\n\n".join(_parts(page, folder)) + "\n")
    return text.encode(), {f"{name}.png": picture for name, picture in pictures.items()}


def _parts(page: Page, folder: str) -> Iterator[str]:
    yield f"# {shown(page.title)}"
    yield f"**{shown(page.verdict)}**"
    if page.tiles:
        yield "\n".join(f"- **{shown(tile.value)}** {shown(tile.label)}{_note(tile.note)}" for tile in page.tiles)
    if page.warnings:
        yield "\n".join(["> **Warnings**", ">", *(f"> - {shown(w)}" for w in page.warnings)])
    for section in page.sections:
        yield f"## {shown(section.title)}"
        if section.lead:
            yield shown(section.lead)
        for block in section.blocks:
            yield from _block(block, folder)
    yield f"Made by teachonce {shown(version('teachonce'))}."


def _note(note: str) -> str:
    return f" ({shown(note)})" if note else ""


def _block(block: Block, folder: str) -> Iterator[str]:
    match block:
        case Figure():
            yield from _figure(block, folder)
        case Table():
            yield from _table(block)
        case Facts():
            yield from _titled(block.title)
            yield _grid(("", ""), block.pairs, (0, 1))
        case Commands():
            yield from _titled(block.title)
            yield from (_fenced(line) for line in block.lines)
        case Text():
            yield f"> {shown(block.text)}" if block.warns else shown(block.text)


def _figure(figure: Figure, folder: str) -> Iterator[str]:
    yield f"### {shown(figure.title)}"
    yield shown(figure.caption)
    yield f"![{shown(figure.alt)}]({quote(f'{folder}/{figure.name}.png')})"
    if figure.table is not None:
        yield "<details><summary>Data of this figure</summary>"
        yield from _table(figure.table)
        yield "</details>"


def _titled(title: str) -> Iterator[str]:
    if title:
        yield f"### {shown(title)}"


def _table(table: Table) -> Iterator[str]:
    if table.caption:
        yield shown(table.caption)
    rows = [
        tuple(f"**{shown(cell)}**" if place in table.strong and cell.strip() else shown(cell) for cell in row)
        for place, row in enumerate(table.rows)
    ]
    yield _lines([tuple(map(shown, table.columns)), *rows], table.texts)


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[int]) -> str:
    return _lines([tuple(map(shown, row)) for row in (heads, *rows)], texts)


def _lines(rows: Sequence[Sequence[str]], texts: Sequence[int]) -> str:
    heads, *body = (f"| {' | '.join(row)} |" for row in rows)
    rule = f"|{'|'.join('---' if place in texts else '---:' for place in range(len(rows[0])))}|"
    return "\n".join([heads, rule, *body])


def _fenced(line: str) -> str:
    """A code block with a fence that is longer than any inside it."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", line))])
    return f"{fence}sh\n{' '.join(line.splitlines())}\n{fence}"


def shown(text: str) -> str:
    """A text as one line of Markdown, escaped: no markup, HTML, link or end of a table cell."""
    line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LIST.sub(r"\1\\\2", _SPECIAL.sub(_inert, line))


def _inert(match: re.Match[str]) -> str:
    """A backslash before punctuation; character references in addresses, which GitHub would turn into links."""
    return "&#47;/" if match[1] == "//" else "&#46;" if match[1] == "." else f"\\{match[1]}"

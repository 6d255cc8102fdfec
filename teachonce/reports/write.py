"""Writes a page to files, in the format of the suffix."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from teachonce.errors import InputError
from teachonce.events import SILENT, Events
from teachonce.fsio import disk_errors, write_files
from teachonce.places import require_writable

if TYPE_CHECKING:
    from teachonce.reports.page import Page

SUFFIXES = (".html", ".md")


def wrong_suffix(place: Path) -> str | None:
    """What is wrong with the file name of a report; None if nothing is."""
    if place.suffix.lower() in SUFFIXES:
        return None
    return f"{place}: expected the suffix .html or .md, got {repr(place.suffix) if place.suffix else 'none'}"


def check_outs(out: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    """The files of a report, checked before anything is read.

    Raises:
        InputError: None, another suffix than those of SUFFIXES, a folder, or the same file twice.
        DiskError: The place is not writable.
    """
    outs = tuple(Path(place) for place in ([out] if isinstance(out, str | Path) else out))
    if not outs:
        raise InputError("expected a file to write, got none", "Give an --out that ends in .html or .md")
    for place in outs:
        if problem := wrong_suffix(place):
            raise InputError(problem, "Change --out")
        with disk_errors(place):  # a name may be too long
            is_folder = place.is_dir()
        if is_folder:
            raise InputError(f"{place} is a folder", "Choose another --out")
        require_writable(place, "--out")
    if len({place.absolute() for place in outs}) < len(outs):
        raise InputError(f"expected different files, got {', '.join(map(str, outs))}", "Give each --out once")
    return outs


def pictures_folder(out: Path) -> Path:
    """The folder of the figures of a Markdown file: `NAME-files` next to it."""
    return out.with_name(f"{out.stem}-files")


def write_page(page: "Page", outs: Sequence[Path], *, events: Events = SILENT) -> None:
    """Write a page: all of its files, or none.

    Args:
        page: Its content.
        outs: Files that end in .html or .md; folders are created.
        events: Receives progress.

    Raises:
        DiskError: One cannot be written; existing files are unchanged.
    """
    files: list[tuple[Path, bytes | memoryview]] = []
    for out in outs:
        if out.suffix.lower() == ".html":
            from teachonce.reports.html import render_html

            files.append((out, render_html(page, events=events)))
        else:
            from teachonce.reports.markdown import render_markdown

            folder = pictures_folder(out)
            text, pictures = render_markdown(page, folder.name, events=events)
            files += [(folder / name, data) for name, data in pictures.items()]
            files.append((out, text))
    write_files(files, tops=[out.parent for out in outs])

"""`teachonce.report`: from runs, stores and benchmarks to the files of a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from teachonce.errors import InputError
from teachonce.events import SILENT, Events
from teachonce.reports.page import Figure, Verdict
from teachonce.reports.write import check_outs, write_page


@dataclass(frozen=True, kw_only=True)
class ReportResult:
    """What was written, and what it says first."""

    out: tuple[str, ...]
    """The files, in the order asked for."""
    title: str
    verdict: str
    pays: Verdict
    """`cached`, `live`, `mixed` where each is better for something, or `open` where nothing was
    compared, or no difference is sure."""
    sections: tuple[str, ...]
    figures: tuple[str, ...]
    warnings: tuple[str, ...]
    """What a reader must know before believing the numbers."""


def report(
    places: str | Path | Sequence[str | Path],
    *,
    out: str | Path | Sequence[str | Path],
    store: str | Path | None = None,
    title: str | None = None,
    events: Events = SILENT,
) -> ReportResult:
    """Write what runs, stores and benchmarks found as one page that a reader understands in a minute.

    Args:
        places: Each a run, a folder with runs below it, a store, or a JSON file that `--json` or `--out` of `bench`
            or `estimate` gave.
        out: A file that ends in .html (one file, no network) or .md (with pictures in `NAME-files` beside it); or
            several.
        store: Where the store of the runs is now; None: where the runs say.
        title: Of the page; None: Distillation report.
        events: Who watches.

    Raises:
        InputError: Another suffix, or a place that is none of these.
        StoreMissingError: A place is not there.
        DiskError: A file cannot be written; old files are as they were.
    """
    outs = check_outs(out)
    found = [Path(place) for place in ([places] if isinstance(places, str | Path) else places)]
    if not found:
        raise InputError("expected a run, a store or a result of bench, got none", "Name at least one")
    from teachonce.reports.build import build_page

    page = build_page(found, store=None if store is None else Path(store), title=title, events=events)
    write_page(page, outs, events=events)
    return ReportResult(
        out=tuple(map(str, outs)),
        title=page.title,
        verdict=page.verdict,
        pays=page.pays,
        sections=tuple(section.name for section in page.sections),
        figures=tuple(b.name for section in page.sections for b in section.blocks if isinstance(b, Figure)),
        warnings=tuple(page.warnings),
    )

"""`teachonce.report`: writes a report about runs, stores and benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from teachonce.errors import InputError
from teachonce.events import SILENT, Events
from teachonce.reports.page import Figure, Verdict
from teachonce.reports.write import check_outs, write_page


@dataclass(frozen=True, kw_only=True)
class ReportResult:
    """The files of a report, and its main statements."""

    out: tuple[str, ...]
    """The files, in the order of `out`."""
    title: str
    verdict: str
    pays: Verdict
    """`cached`, `live`, `mixed` if each is better for something, or `open` if nothing was
    compared or no difference is significant."""
    sections: tuple[str, ...]
    figures: tuple[str, ...]
    warnings: tuple[str, ...]
    """What may be wrong with the numbers."""


def report(
    places: str | Path | Sequence[str | Path],
    *,
    out: str | Path | Sequence[str | Path],
    store: str | Path | None = None,
    title: str | None = None,
    events: Events = SILENT,
) -> ReportResult:
    """Write a report about runs, stores and benchmarks as one page.

    Args:
        places: Each a run, a folder with runs below it, a store, or a JSON file that `--json` or `--out` of `bench`
            or `estimate` gave.
        out: A file that ends in .html (one file, no network) or .md (with pictures in `NAME-files` beside it); or
            several.
        store: Where the store of the runs is now; None: as recorded in the runs.
        title: Of the page; None: `Distillation report`.
        events: Receives progress and warnings.

    Raises:
        InputError: Another suffix, or a place that is none of these.
        StoreMissingError: A place does not exist.
        DiskError: A file cannot be written; existing files are unchanged.
    """
    outs = check_outs(out)
    found = [Path(place) for place in ([places] if isinstance(places, str | Path) else places)]
    if not found:
        raise InputError("expected a run, a store or a result of bench, got none", "Give at least one")
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

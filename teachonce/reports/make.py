"""`teachonce.report`: from runs, stores and benchmarks to the files of a report."""

from dataclasses import dataclass

from teachonce.errors import InputError
from teachonce.events import Events
from teachonce.options.runs import ReportOptions
from teachonce.options.verb import verb
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


@verb(ReportOptions)
def report(options: ReportOptions, events: Events) -> ReportResult:
    """Write what runs, stores and benchmarks found as one page that a reader understands in a minute.

    Raises:
        InputError: Another suffix, or a place that is none of these.
        StoreMissingError: A place is not there.
        DiskError: A file cannot be written; old files are as they were.
    """
    outs = check_outs(options.out)
    if not options.places:
        raise InputError("expected a run, a store or a result of bench, got none", "Name at least one")
    from teachonce.reports.build import build_page

    page = build_page(options.places, store=options.store, title=options.title, events=events)
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

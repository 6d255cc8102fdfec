"""`teachonce.report`: writes a report about runs, stores and benchmarks."""

from dataclasses import dataclass

from teachonce.errors import InputError
from teachonce.events import Events
from teachonce.options.runs import ReportOptions
from teachonce.options.verb import verb
from teachonce.reports.page import Verdict
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


@verb(ReportOptions)
def report(options: ReportOptions, events: Events) -> ReportResult:
    """Write a report about runs, stores and benchmarks as one page.

    Raises:
        InputError: Another suffix, or a place that is none of these.
        StoreMissingError: A place does not exist.
        DiskError: A file cannot be written; existing files are unchanged.
    """
    outs = check_outs(options.out)
    if not options.places:
        raise InputError("expected a run, a store or a result of bench, got none", "Give at least one")
    from teachonce.reports.build import build_page

    page = build_page(options.places, store=options.store, title=options.title, events=events)
    write_page(page, outs, events=events)
    return ReportResult(
        out=tuple(map(str, outs)),
        title=page.title,
        verdict=page.verdict,
        pays=page.pays,
        sections=tuple(section.name for section in page.sections),
        figures=tuple(figure.name for figure in page.figures),
        warnings=tuple(page.warnings),
    )

"""`teachonce report`: what runs, stores and benchmarks found, as one page."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from teachonce.cli import options as shared
from teachonce.cli.frame import finish, work
from teachonce.console.reports import report_parts


def report(
    places: Annotated[
        list[Path],
        Argument(
            help="Runs, folders with runs below them, stores, and JSON files of bench or estimate.", metavar="RUN..."
        ),
    ],
    out: Annotated[
        list[Path],
        Option(help="A file that ends in .html or .md; may be given again.", metavar="FILE"),
    ],
    store: Annotated[
        Path | None,
        Option(help="Path of the store, if it has moved; by default the path in the runs.", metavar="STORE"),
    ] = None,
    title: Annotated[str | None, Option(help="Title of the page; Distillation report if absent.")] = None,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Write a report: one sentence on whether the cache pays, and the numbers behind it.

    HTML is one file without scripts or network access, for light and dark mode and small screens. Markdown has its
    pictures in a folder NAME-files beside it.
    """
    with work(debug=debug) as events:
        from teachonce.reports.make import report as make

        result = make(places, out=out, store=store, title=title, events=events)
    finish(result, report_parts, as_json=as_json)

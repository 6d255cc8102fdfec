"""What `teachonce report` says: the verdict, and where the files are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from teachonce.console.tables import Parts

if TYPE_CHECKING:
    from teachonce.reports.make import ReportResult

_STYLES = {"cached": "green", "live": "yellow", "mixed": "yellow", "open": ""}


def report_parts(result: "ReportResult") -> Parts:
    """The verdict first."""
    return verdict_parts(result.verdict, result.pays, result.out)


def verdict_parts(verdict: str, pays: str, out: Sequence[str]) -> Parts:
    """What a report comes to, and its files.

    Args:
        verdict: In words.
        pays: Which of cached and live; see `ReportResult`.
        out: The files.
    """
    return [Text(verdict, style=_STYLES[pays]), *(Text(f"report: {file}") for file in out)]

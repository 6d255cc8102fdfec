"""What `teachonce report` says: the verdict, and where the files are."""

from rich.text import Text

from teachonce.console.tables import Parts, Result

_STYLES = {"cached": "green", "live": "yellow", "mixed": "yellow", "open": ""}


def report_parts(result: Result) -> Parts:
    """The verdict first."""
    verdict = Text(result["verdict"], style=_STYLES[result["pays"]])
    return [verdict, *(Text(f"report: {out}") for out in result["out"])]

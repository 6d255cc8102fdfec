"""`teachonce run`: a whole recipe, from the teacher to the table."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from teachonce.cli import options as shared
from teachonce.cli.frame import finish, work
from teachonce.console.runs import run_parts


def run(
    recipe: Annotated[str, Argument(help="A TOML file, or quickstart (built in).", metavar="RECIPE")],
    out: Annotated[Path | None, Option(help="Folder of the runs, instead of the recipe's.", metavar="DIR")] = None,
    overrides: Annotated[
        list[str] | None,
        Option(
            "--set",
            help="Replace a value of the recipe, such as teacher.model=NAME or train.epochs=2; may be repeated.",
            metavar="TABLE.KEY=VALUE",
        ),
    ] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Only show what would run, be reused or be refused, and why.")
    ] = (False),
    jobs: Annotated[
        int | None,
        Option(
            min=1,
            help="Number of steps at once; their progress goes to OUT/logs. One if absent.",
            rich_help_panel=shared.MACHINE,
        ),
    ] = None,
    trust_remote_code: shared.TrustRemoteCode = False,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Run a whole recipe; existing results are reused."""
    with work(debug=debug) as events:
        from teachonce.pipeline.run import run as stage

        result = stage(
            recipe,
            out=out,
            overrides=overrides or (),
            dry_run=dry_run,
            jobs=jobs,
            trust_remote_code=trust_remote_code,
            events=events,
        )
    finish(result, run_parts, as_json=as_json)

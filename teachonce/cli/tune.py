"""`teachonce tune`: the settings of a recipe's trainings, searched from one store."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from teachonce.cli import options as shared
from teachonce.cli.frame import finish, work
from teachonce.console.tune import tune_parts


def tune(  # noqa: PLR0913  (one parameter an option)
    recipe: Annotated[str, Argument(help="A TOML file, or quickstart (built in).", metavar="RECIPE")],
    trials: Annotated[int | None, Option(min=1, help="Trials per variant, instead of the recipe's.")] = None,
    jobs: Annotated[
        int | None, Option(min=1, help="Number of trials at once; the recipe's, or one, if absent.")
    ] = None,
    out: Annotated[Path | None, Option(help="Folder of the runs, instead of the recipe's.", metavar="DIR")] = None,
    write: Annotated[
        Path | None, Option(help="The tuned recipe; RECIPE-tuned.toml beside the recipe if absent.", metavar="FILE")
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Only show what would be searched, and where.")] = False,
    trust_remote_code: shared.TrustRemoteCode = False,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Search the settings of a recipe's trainings and write the tuned recipe.

    Every variant gets the same number of trials, all from one store; weak trials are pruned. After a kill or
    an interrupt, the same command resumes. Weights of finished trials are removed, except the best student.
    """
    with work(debug=debug) as events:
        from teachonce.pipeline.tune.tune import tune as stage

        result = stage(
            recipe,
            out=out,
            trials=trials,
            jobs=jobs,
            write=write,
            dry_run=dry_run,
            trust_remote_code=trust_remote_code,
            events=events,
        )
    finish(result, tune_parts, as_json=as_json)

"""The options of `run`, `tune` and `report`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from teachonce.options import shared
from teachonce.options.opt import Opt
from teachonce.options.shared import MACHINE

_Recipe = Annotated[str, Opt(help="A TOML file, or quickstart (built in).", metavar="RECIPE", argument=True)]
_Out = Annotated[Path | None, Opt(help="Folder of the runs, instead of the recipe's.", metavar="DIR")]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Run a whole recipe; existing results are reused."""

    recipe: _Recipe
    out: _Out = None
    overrides: Annotated[
        tuple[str, ...],
        Opt(
            help="Replace a value of the recipe, such as teacher.model=NAME or train.epochs=2; may be repeated.",
            python="Replace values of the recipe: TABLE.KEY=VALUE each, such as train.epochs=2.",
            metavar="TABLE.KEY=VALUE",
            key="set",
            repeated=True,
        ),
    ] = ()
    dry_run: Annotated[bool, Opt(help="Only show what would run, be reused or be refused, and why.")] = False
    jobs: Annotated[
        int | None,
        Opt(help="Number of steps at once; their progress goes to OUT/logs. One if absent.", panel=MACHINE, min=1),
    ] = None
    trust_remote_code: shared.TrustRemoteCode = False


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """Search the settings of a recipe's trainings and write the tuned recipe.

    Every variant gets the same number of trials, all from one store; weak trials are pruned. After a kill or
    an interrupt, the same command resumes. Weights of finished trials are removed, except the best student.
    """

    recipe: _Recipe
    trials: Annotated[int | None, Opt(help="Trials per variant, instead of the recipe's.", min=1)] = None
    jobs: Annotated[int | None, Opt(help="Number of trials at once; the recipe's, or one, if absent.", min=1)] = None
    out: _Out = None
    write: Annotated[
        Path | None, Opt(help="The tuned recipe; RECIPE-tuned.toml beside the recipe if absent.", metavar="FILE")
    ] = None
    dry_run: Annotated[bool, Opt(help="Only show what would be searched, and where.")] = False
    trust_remote_code: shared.TrustRemoteCode = False


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Write a report: one sentence on whether the cache pays, and the numbers behind it.

    HTML is one file without scripts or network access, for light and dark mode and small screens. Markdown has its
    pictures in a folder NAME-files beside it.
    """

    places: Annotated[
        tuple[Path, ...],
        Opt(
            help="Runs, folders with runs below them, stores, and JSON files of bench or estimate.",
            metavar="RUN...",
            argument=True,
            repeated=True,
        ),
    ]
    out: Annotated[
        tuple[Path, ...],
        Opt(help="A file that ends in .html or .md; may be given again.", metavar="FILE", repeated=True),
    ]
    store: shared.MovedStore = None
    title: Annotated[str | None, Opt(help="Title of the page; Distillation report if absent.")] = None

"""The options of `plot`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from teachonce.options import shared
from teachonce.options.opt import Opt

_Out = Annotated[Path, Opt(help="The picture: a file that ends in .png, .svg or .pdf.", metavar="FILE")]


@dataclass(frozen=True, kw_only=True)
class RateDistortionOptions:
    """Draw accuracy, rate and distortion of a store's RDMs, over R and over each other."""

    store: shared.Store
    out: _Out


@dataclass(frozen=True, kw_only=True)
class TsneOptions:
    """Draw t-SNE maps of targets side by side, coloured by class."""

    store: shared.Store
    targets: Annotated[tuple[str, ...], Opt(help="Targets, such as teacher,rdm-10000.", metavar="NAMES")]
    out: _Out
    rows: Annotated[int, Opt(help="Maximum number of rows, chosen by the seed; the same for each target.", min=10)] = (
        1000
    )
    classes: Annotated[int, Opt(help="Number of first classes.", min=1)] = 10
    perplexity: Annotated[float, Opt(help="Perplexity of t-SNE: the approximate number of neighbours of a row.")] = 30.0
    seed: shared.Seed = 0
    threads: shared.Threads = None


@dataclass(frozen=True, kw_only=True)
class CostOptions:
    """Draw accuracy over training cost, from the cache and, computed, with everything live.

    Costs are multiply-accumulates of forward passes, each counted once. From the cache: one pass of teacher,
    assistants and RDMs over the stored rows and views, the training of assistants and RDMs, and that of the student.
    Live: all of them in each epoch. Runs that differ in the seed only are one point with its spread.
    """

    runs: Annotated[
        tuple[Path, ...],
        Opt(help="A run, or a folder with runs below it; may be given again.", metavar="DIR", repeated=True),
    ]
    out: _Out
    store: shared.MovedStore = None
    student: Annotated[str | None, Opt(help="Show this student only.", metavar="STUDENT")] = None
    accuracy: Annotated[
        Literal["auto", "test", "validation"],
        Opt(help="Which accuracy; auto is test where every run was evaluated by a recipe."),
    ] = "auto"

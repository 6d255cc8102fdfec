"""`teachonce plot`: pictures of a store's RDMs, of its targets, and of what trainings cost."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from teachonce.cli import options as shared
from teachonce.cli.frame import finish, work
from teachonce.console.plots import cost_parts, rate_distortion_parts, tsne_parts

Out = Annotated[Path, Option(help="The picture: a file that ends in .png, .svg or .pdf.", metavar="FILE")]


class Accuracy(StrEnum):
    """Which accuracy a picture shows."""

    auto = "auto"
    test = "test"
    validation = "validation"


def plot_rate_distortion(
    store: shared.Store, out: Out, as_json: shared.Json = False, debug: shared.Debug = False
) -> None:
    """Draw accuracy, rate and distortion of a store's RDMs, over R and over each other."""
    with work(debug=debug):
        from teachonce.plots.make import plot_rate_distortion as plot

        result = plot(store=store, out=out)
    finish(result, rate_distortion_parts, as_json=as_json)


def plot_tsne(  # noqa: PLR0913  (one parameter an option)
    store: shared.Store,
    targets: Annotated[str, Option(help="Targets, such as teacher,rdm-10000.", metavar="NAMES")],
    out: Out,
    rows: Annotated[
        int, Option(min=10, help="Maximum number of rows, chosen by the seed; the same for each target.")
    ] = 1000,
    classes: Annotated[int, Option(min=1, help="Number of first classes.")] = 10,
    perplexity: Annotated[
        float, Option(help="Perplexity of t-SNE: the approximate number of neighbours of a row.")
    ] = 30.0,
    seed: shared.Seed = 0,
    threads: shared.Threads = None,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Draw t-SNE maps of targets side by side, coloured by class."""
    names = [word.strip() for word in targets.split(",")]
    if not all(names):
        raise typer.BadParameter(f"expected names with commas between them, got {targets!r}", param_hint="--targets")
    with work(debug=debug, threads=threads) as events:
        from teachonce.plots.make import plot_tsne as plot

        result = plot(
            store=store,
            targets=names,
            out=out,
            rows=rows,
            classes=classes,
            perplexity=perplexity,
            seed=seed,
            events=events,
        )
    finish(result, tsne_parts, as_json=as_json)


def plot_cost(
    runs: Annotated[
        list[Path], Option(help="A run, or a folder with runs below it; may be given again.", metavar="DIR")
    ],
    out: Out,
    store: Annotated[
        Path | None,
        Option(help="Path of the store, if it has moved; by default the path in the runs.", metavar="STORE"),
    ] = None,
    student: Annotated[str | None, Option(help="Show this student only.", metavar="STUDENT")] = None,
    accuracy: Annotated[
        Accuracy, Option(help="Which accuracy; auto is test where every run was evaluated by a recipe.")
    ] = Accuracy.auto,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Draw accuracy over training cost, from the cache and, computed, with everything live.

    Costs are multiply-accumulates of forward passes, each counted once. From the cache: one pass of teacher,
    assistants and RDMs over the stored rows and views, the training of assistants and RDMs, and that of the student.
    Live: all of them in each epoch. Runs that differ in the seed only are one point with its spread.
    """
    with work(debug=debug) as events:
        from teachonce.plots.make import plot_cost as plot

        result = plot(runs=runs, out=out, store=store, student=student, accuracy=accuracy.value, events=events)
    finish(result, cost_parts, as_json=as_json)

"""`teachonce evaluate`: a trained run on data it has not seen, or what a store's embeddings are worth."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from teachonce.cli import options as shared
from teachonce.cli.frame import finish, work
from teachonce.console.tables import evaluate_parts


def evaluate(  # noqa: PLR0913  (one parameter an option)
    data: Annotated[
        str | None,
        Option(
            help="Data to evaluate on; for a store: its own data, to compare with.",
            metavar="DATA",
            rich_help_panel=shared.DATA,
        ),
    ] = None,
    run: Annotated[Path | None, Option(help="Folder of a trained run.", metavar="RUN")] = None,
    store: Annotated[Path | None, Option(help="Folder of a store.", metavar="STORE")] = None,
    target: shared.Target = "teacher",
    split: Annotated[str | None, Option(help="Split; test if absent, for a run.", rich_help_panel=shared.DATA)] = None,
    image_column: shared.ImageColumn = None,
    label_column: shared.LabelColumn = None,
    key_column: shared.KeyColumn = None,
    limit: shared.Limit = None,
    val_fraction: Annotated[
        float, Option(min=0.0, max=0.9, help="Share of a store's rows held out.", rich_help_panel=shared.DATA)
    ] = 0.1,
    neighbours: Annotated[int, Option(min=1, help="Neighbours that vote.")] = 20,
    batch_size: Annotated[int, Option(min=1, help="Rows per batch.")] = 256,
    precision: shared.PrecisionOption = shared.Precision.auto,
    device: shared.Device = None,
    workers: shared.Workers = None,
    threads: shared.Threads = None,
    seed: shared.Seed = 0,
    student: Annotated[
        str | None,
        Option(help="Factory of the run's student, which must be named to be run.", metavar="STUDENT"),
    ] = None,
    trust_remote_code: shared.TrustRemoteCode = False,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Evaluate a trained run (--run), or the embeddings of a store (--store).

    Of a run: top-1, top-5, loss and accuracy per class. The result is kept for reports, unless the run was trained on
    this data. Of a store: nearest neighbours and a linear probe on its validation rows.
    """
    if (run is None) == (store is None):
        raise typer.BadParameter("expected one of --run and --store", param_hint="--run / --store")
    if run is not None and data is None:
        raise typer.BadParameter("a run is evaluated on data", param_hint="--data")
    with work(debug=debug, threads=threads) as events:
        from teachonce.stages.evaluate import evaluate as stage

        result = stage(
            run=run,
            store=store,
            target=target,
            data=data,
            split=split,
            image_column=image_column,
            label_column=label_column,
            key_column=key_column,
            limit=limit,
            val_fraction=val_fraction,
            neighbours=neighbours,
            batch_size=batch_size,
            precision=precision.value,
            device=device,
            workers=workers,
            seed=seed,
            student=student,
            trust_remote_code=trust_remote_code,
            events=events,
        )
    finish(result, evaluate_parts, as_json=as_json)

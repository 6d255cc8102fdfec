"""The options of `evaluate`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from teachonce.options import shared
from teachonce.options.opt import Opened, Opt
from teachonce.options.shared import DATA


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Evaluate a trained run (--run), or the embeddings of a store (--store).

    Of a run: top-1, top-5, loss and accuracy per class. The result is kept for reports, unless the run was trained on
    this data. Of a store: nearest neighbours and a linear probe on its validation rows.
    """

    data: Annotated[
        str | Opened | None,
        Opt(help="Data to evaluate on; for a store: its own data, to compare with.", metavar="DATA", panel=DATA),
    ] = None
    run: Annotated[Path | None, Opt(help="Folder of a trained run.", metavar="RUN")] = None
    store: Annotated[Path | None, Opt(help="Folder of a store.", metavar="STORE")] = None
    target: shared.Target = "teacher"
    split: Annotated[str | None, Opt(help="Split; test if absent, for a run.", panel=DATA)] = None
    image_column: shared.ImageColumn = None
    label_column: shared.LabelColumn = None
    key_column: shared.KeyColumn = None
    limit: shared.Limit = None
    val_fraction: Annotated[float, Opt(help="Share of a store's rows held out.", panel=DATA, min=0.0, max=0.9)] = 0.1
    neighbours: Annotated[int, Opt(help="Neighbours that vote.", min=1)] = 20
    batch_size: Annotated[int, Opt(help="Rows per batch.", min=1)] = 256
    precision: shared.Precision = "auto"
    device: shared.Device = None
    workers: shared.Workers = None
    threads: shared.Threads = None
    seed: shared.Seed = 0
    student: Annotated[
        str | None, Opt(help="Factory of the run's student, which must be named to be run.", metavar="STUDENT")
    ] = None
    trust_remote_code: shared.TrustRemoteCode = False

    def usage(self) -> tuple[str, str] | None:
        """An option, and what is wrong with it beside the others; None where nothing is."""
        if (self.run is None) == (self.store is None):
            return "--run / --store", "expected one of --run and --store"
        if self.run is not None and self.data is None:
            return "--data", "a run is evaluated on data, and none was given"
        return None

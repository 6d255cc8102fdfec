"""`teachonce inspect` and `teachonce export`: look into a store, and take its arrays elsewhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from teachonce.cli import options as shared
from teachonce.cli.frame import finish, work
from teachonce.console.stores import inspect_parts
from teachonce.console.tables import export_parts

StoreArgument = Annotated[Path, Argument(help="Folder of the store.", metavar="STORE")]


class Format(StrEnum):
    """Formats a store can be exported to."""

    hdf5 = "hdf5"
    npy = "npy"


def inspect(  # noqa: PLR0913 - one parameter an option
    store: StoreArgument,
    failed: Annotated[bool, Option("--failed", help="List the rows that failed, with their reasons.")] = False,
    data: Annotated[
        str | None,
        Option(help="The data that the store was made from, to name failed rows by file.", metavar="DATA"),
    ] = None,
    split: shared.Split = None,
    image_column: shared.ImageColumn = None,
    key_column: shared.KeyColumn = None,
    limit: shared.Limit = None,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Show the contents of a store, its teacher and data, and whether it is sealed."""
    with work(debug=debug):
        from teachonce.cache.describe import describe

        result = describe(store)
        if failed or data is not None:
            columns = {"image_column": image_column, "label_column": "none", "key_column": key_column}
            result["failed_samples"] = _failed(store, data, split=split, limit=limit, **columns)
    finish(result, inspect_parts, as_json=as_json)


def _failed(store: Path, data: str | None, **options: Any) -> list[dict[str, Any]]:
    from teachonce.cache import open_store
    from teachonce.data.open import open_samples
    from teachonce.engine.failed import list_failed

    return list_failed(open_store(store), None if data is None else open_samples(data, **options))


def export(
    store: StoreArgument,
    out: Annotated[Path, Option(help="File (hdf5) or folder (npy) to write; must not exist.", metavar="PATH")],
    format_: Annotated[Format, Option("--format", help="One HDF5 file, or a folder of .npy files.")] = Format.hdf5,
    as_json: shared.Json = False,
    debug: shared.Debug = False,
) -> None:
    """Write a store's arrays as one HDF5 file or a folder of .npy files."""
    with work(debug=debug):
        from teachonce.cache.export import export as write

        write(store, out, format_.value)
    finish({"store": str(store), "out": str(out), "format": format_.value}, export_parts, as_json=as_json)

"""The options of `inspect` and `export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from teachonce.options import shared
from teachonce.options.opt import Opt


@dataclass(frozen=True, kw_only=True)
class InspectOptions:
    """Show the contents of a store, its teacher and data, and whether it is sealed."""

    store: shared.StoreArgument
    failed: Annotated[bool, Opt(help="List the rows that failed, with their reasons.")] = False
    data: Annotated[
        str | None,
        Opt(help="The data that the store was made from, to name failed rows by file.", metavar="DATA"),
    ] = None
    split: shared.Split = None
    image_column: shared.ImageColumn = None
    key_column: shared.KeyColumn = None
    limit: shared.Limit = None


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Write a store's arrays as one HDF5 file or a folder of .npy files."""

    store: shared.StoreArgument
    out: Annotated[Path, Opt(help="File (hdf5) or folder (npy) to write; must not exist.", metavar="PATH")]
    format: Annotated[Literal["hdf5", "npy"], Opt(help="One HDF5 file, or a folder of .npy files.")] = "hdf5"

"""`metadata.csv`, `.jsonl` or `.parquet` in a folder of images, as the hub's image folders have them.

A row names its image in the column `file_name`, relative to the file's own folder; the other columns are the row's.
Where a folder has such files, they say which images are rows, and in which order; classes are then a column, not
folders. A file of that name without the column is not used, and that is said.
"""

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from teachonce.data.quiet import first_line
from teachonce.data.walk import listed, parts_of
from teachonce.errors import CorruptError, DataError
from teachonce.events import Events
from teachonce.fsio import decode_text, read_file

_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_COLUMN = "file_name"
_MOST = 1 << 32  # bytes


def is_metadata(path: str) -> bool:
    """Whether a file is called so."""
    return os.path.basename(path) in _NAMES  # noqa: PTH119


def read_metadata(
    root: str, files: Sequence[str], wanted: Callable[[str], bool], events: Events
) -> tuple[list[str], dict[str, Any]] | None:
    """The rows of metadata files: the images' paths, and the other columns.

    Args:
        root: The folder of images.
        files: The metadata files in it.
        wanted: Whether an image belongs to the split that is read.
        events: Is told which files are not used.

    Returns:
        Paths below `root` and the columns by name; None where no row is wanted.

    Raises:
        DataError: A file cannot be read, or a row names no file inside the folder.
    """
    tables: list[pa.Table] = []
    for file in files:
        table = _read(Path(root) / file)
        if _COLUMN not in table.column_names:
            there = f"its columns are {listed(table.column_names, 6)}"
            events.warn(f"{listed([file])} is not used: it has no column {_COLUMN} ({there})")
            continue
        paths = [_inside(name, file, row) for row, name in enumerate(table.column(_COLUMN).to_pylist())]
        own = [row for row, path in enumerate(paths) if wanted(path)]
        names = pa.array([os.fsencode(paths[row]) for row in own], pa.binary())
        tables.append(table.drop_columns([_COLUMN]).take(pa.array(own, pa.int64())).append_column(_COLUMN, names))
    if not sum(map(len, tables)):
        return None
    try:
        whole = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        message = f"the columns of {listed(files)} differ: {first_line(error)}"
        raise DataError(message, "Give them the same columns, or put them in one file") from error
    paths = [os.fsdecode(name) for name in whole.column(_COLUMN).to_pylist()]
    return paths, {name: whole.column(name) for name in whole.column_names if name != _COLUMN}


def _inside(name: Any, file: str, row: int) -> str:
    """The path of a row's image below the folder."""
    path = os.path.normpath(os.path.join(os.path.dirname(file), str(name or "")))  # noqa: PTH118, PTH120
    if not name or "://" in str(name) or os.path.isabs(path) or parts_of(path)[0] in ("..", "."):  # noqa: PTH117
        message = f"expected a file inside the folder in row {row} of {listed([file])}, got {str(name)!r}"
        raise DataError(message, f"Give paths relative to that file in the column {_COLUMN}")
    return path


def _read(path: Path) -> pa.Table:
    from pyarrow import csv, json, parquet

    mend = "Correct the file, or move it out of the folder"
    try:
        data = read_file(path, most=_MOST, mend=mend)
        if path.suffix == ".parquet":
            return parquet.read_table(io.BytesIO(data))
        text = io.BytesIO(decode_text(data, str(path), mend=mend).encode())
        if path.suffix == ".jsonl":
            return json.read_json(text)
        # A class may be called NA or None, and a file 001: what is missing is empty, and names are no numbers.
        convert = csv.ConvertOptions(column_types={_COLUMN: pa.string()}, null_values=[""], strings_can_be_null=True)
        return csv.read_csv(text, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=convert)
    except CorruptError as error:
        raise DataError(error.message, mend) from error
    except pa.ArrowException as error:
        raise DataError(f"could not read {str(path)!r}: {first_line(error)}", mend) from error

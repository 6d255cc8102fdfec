"""The `zarr.json` documents: made as Zarr v3 spells them, always in the same bytes; read strictly."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teachonce.cache.dtypes import STORED
from teachonce.cache.identity import short
from teachonce.cache.layout import Grid
from teachonce.errors import CorruptError, StoreMissingError
from teachonce.fsio import read_json

DOCUMENT = "zarr.json"

_LITTLE = [{"name": "bytes", "configuration": {"endian": "little"}}]


def group_document(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a group."""
    return {"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}


def array_document(grid: Grid) -> dict[str, Any]:
    """The document of an array: raw little-endian chunks, no codec beside `bytes`, default chunk keys."""
    kind = STORED[grid.dtype]
    wide = kind.numpy.itemsize > 1
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(grid.shape),
        "data_type": kind.zarr,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(grid.chunk)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": kind.fill_json,
        "codecs": _LITTLE if wide else [{"name": "bytes"}],
        "attributes": {"dtype": grid.dtype} if grid.dtype == "bfloat16" else {},
        "dimension_names": list(grid.axes),
        "storage_transformers": [],
    }


def journal_document() -> dict[str, Any]:
    """An empty array over the journal: who walks a Zarr hierarchy does not look inside arrays.

    As a group it would make zarr-python warn of every record, and as nothing at all, of the folder.
    """
    grid = Grid(path="journal", shape=(0,), chunk=(1,), dtype="uint8", axes=("record",))
    return array_document(grid)


def read_document(folder: Path, node: str) -> dict[str, Any]:
    """The document of a group or an array that has to be there.

    Raises:
        StoreMissingError: There is none.
        CorruptError: It is not JSON, not Zarr v3, or of the other kind.
    """
    path = folder / DOCUMENT
    try:
        document = read_json(path)
    except FileNotFoundError:
        raise StoreMissingError(f"{path} is missing", "Restore it from a copy, or make the store again") from None
    if not isinstance(document, dict) or document.get("zarr_format") != 3 or document.get("node_type") != node:
        raise CorruptError(f"{path}: expected a Zarr v3 {node}, got {short(document)}", "Restore it from a copy")
    if not isinstance(document.setdefault("attributes", {}), dict):
        raise CorruptError(f"{path}: its attributes are no object", "Restore it from a copy")
    return document


def check_array(root: Path, grid: Grid) -> None:
    """Compare an array's document with what the store's attributes ask for.

    Raises:
        CorruptError: The shape, dtype, chunks, keys, fill value or codecs differ.
        StoreMissingError: It has no document.
    """
    document = read_document(root / grid.path, "array")
    expected = array_document(grid)
    if grid.numpy.itemsize == 1 and document.get("codecs") == _LITTLE:
        document["codecs"] = expected["codecs"]  # older Zarr libraries name an order of one byte, too
    for field in ("shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs"):
        if document.get(field) != expected[field]:
            raise CorruptError(
                f"{root / grid.path}: {field} should be {short(expected[field])}, it is {short(document.get(field))}",
                "Restore the array's zarr.json from a copy, or make the store again",
            )

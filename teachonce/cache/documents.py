"""The `zarr.json` documents: made as Zarr v3 spells them, always in the same bytes; read strictly."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teachonce.cache.chunks import REPAIR
from teachonce.cache.dtypes import STORED
from teachonce.cache.identity import chunk_digest, short
from teachonce.cache.layout import Grid
from teachonce.errors import CorruptError, StoreMissingError
from teachonce.fsio import json_bytes, parse_json, read_file

DOCUMENT = "zarr.json"

_MOST_BYTES = 64 << 20
_OPTIONAL = ("dimension_names", "storage_transformers")
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


def document_bytes(folder: Path) -> bytes:
    """The bytes of the document of a group or an array that has to be there.

    Raises:
        StoreMissingError: There is none.
        CorruptError: It is not a regular file, or larger than any document.
    """
    path = folder / DOCUMENT
    try:
        return read_file(path, most=_MOST_BYTES)
    except FileNotFoundError:
        raise StoreMissingError(f"{path} is missing", REPAIR) from None


def read_document(folder: Path, node: str) -> dict[str, Any]:
    """The document of a group or an array that has to be there.

    Raises:
        StoreMissingError: There is none.
        CorruptError: It is not JSON, not Zarr v3, or of the other kind.
    """
    path = folder / DOCUMENT
    try:
        document = parse_json(document_bytes(folder), str(path), mend=REPAIR)
    except CorruptError as error:
        raise CorruptError(short(error.message, 200), error.mend) from error
    if not isinstance(document, dict) or document.get("zarr_format") != 3 or document.get("node_type") != node:
        raise CorruptError(f"{path}: expected a Zarr v3 {node}, got {short(document)}", REPAIR)
    if not isinstance(document.setdefault("attributes", {}), dict):
        raise CorruptError(f"{path}: its attributes are not an object", REPAIR)
    return document


def sealed_document(attributes: Mapping[str, Any], seal: Mapping[str, Any], *, sealed: bool = True) -> dict[str, Any]:
    """The document of a group with a seal, which holds, as `document`, the digest of the document without that entry.

    Args:
        attributes: Of the group.
        seal: What is sealed.
        sealed: False for a group whose seal was taken off, and that will be sealed only as it was.
    """
    bare = group_document({**attributes, "sealed": sealed, "seal": dict(seal)})
    seal = {**seal, "document": chunk_digest(json_bytes(bare))}
    return group_document({**attributes, "sealed": sealed, "seal": seal})


def begun_digest(attributes: Mapping[str, Any]) -> str:
    """The digest over all that is known of a target at its beginning, which is `begun` of its attributes."""
    later = ("sealed", "seal", "samples", "begun")
    return chunk_digest(json_bytes({key: value for key, value in attributes.items() if key not in later}))


def check_begun(folder: Path, attributes: Mapping[str, Any]) -> None:
    """Compare the attributes of a target that is not sealed with their digest.

    Raises:
        CorruptError: They are not what was written at its beginning.
    """
    if not {"begun", "samples"} & attributes.keys():
        return  # begun by an earlier version
    try:
        sound = attributes.get("begun") == begun_digest(attributes) and "samples" in attributes
    except ValueError:
        sound = False
    if not sound or attributes.get("sealed") is not False:
        raise CorruptError(f"{folder / DOCUMENT} differs from what was written when the target was begun", REPAIR)
    if attributes["seal"] is not None:
        check_sealed(folder, group_document(attributes), expected=True)


def check_sealed(folder: Path, document: Mapping[str, Any], *, expected: bool) -> bool:
    """Compare the document of a sealed group with the digest in its seal.

    Args:
        folder: The group's.
        document: As it was read.
        expected: Whether something else in it says that there is a digest.

    Returns:
        Whether there is one: seals of earlier versions have none.

    Raises:
        CorruptError: The document is not what was sealed.
    """
    attributes = document["attributes"]
    seal = dict(attributes["seal"])
    digest = seal.pop("document", None)
    if digest is None and not expected:
        return False
    try:
        document = sealed_document(attributes, seal, sealed=attributes["sealed"] is True)
        sealed = document["attributes"]["seal"]["document"]
    except ValueError:  # NaN, which no document of ours holds
        sealed = None
    if not expected or digest is None or digest != sealed:
        raise CorruptError(f"{folder / DOCUMENT} differs from what was sealed: another digest", REPAIR)
    return True


def check_document(folder: Path, expected: Mapping[str, Any] | None) -> int:
    """Compare a document with what it has to be.

    Args:
        folder: The node's.
        expected: The document. None: a seal covers it, and its bytes have to be those that our writer gives.

    Returns:
        Its bytes.

    Raises:
        StoreMissingError: It is missing.
        CorruptError: It differs.
    """
    data = document_bytes(folder)
    document = read_document(folder, "group" if expected is None else expected["node_type"])
    if (data != _spelled(document)) if expected is None else _complete(document, expected) != expected:
        raise CorruptError(f"{folder / DOCUMENT} is not the document of this node", REPAIR)
    return len(data)


def _spelled(document: Mapping[str, Any]) -> bytes | None:
    """The bytes that our writer gives; None where it gives none (NaN)."""
    try:
        return json_bytes(document)
    except ValueError:
        return None


def _complete(document: dict[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    """A document with what other writers may leave out, or spell otherwise."""
    complete = {**{name: expected[name] for name in _OPTIONAL if name in expected}, **document}
    if complete.get("codecs") == _LITTLE and expected.get("data_type") == "uint8":
        complete["codecs"] = expected["codecs"]  # some Zarr libraries name an order of one byte, too
    return complete


def check_array(root: Path, grid: Grid) -> None:
    """Compare an array's document with what the store's attributes ask for.

    Raises:
        CorruptError: The shape, dtype, chunks, keys, fill value or codecs differ.
        StoreMissingError: It has no document.
    """
    expected = array_document(grid)
    document = _complete(read_document(root / grid.path, "array"), expected)
    for field in ("shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs"):
        if document.get(field) != expected[field]:
            raise CorruptError(
                f"{root / grid.path}: {field} should be {short(expected[field])}, it is {short(document.get(field))}",
                REPAIR,
            )

"""One adapter between records and JSON: reads, checks and writes frozen dataclasses, by the types of their fields.

A record is a stdlib dataclass (frozen, keyword-only). The types of its fields say what a file may hold (`bounds` has
those with limits), and `__post_init__` raises ValueError for what the types cannot say. A field that earlier versions
did not write has a default. Keys that are not declared are ignored, unless a field is marked as REST, or the class has
`__pydantic_config__ = CLOSED`.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    NamedTuple,
    ParamSpec,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from teachonce.errors import CorruptError
from teachonce.fsio import read_json, write_json

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

Record = TypeVar("Record")
P = ParamSpec("P")
Found = TypeVar("Found")


def _once(function: Callable[P, Found]) -> Callable[P, Found]:
    """`cache`, which mypy denies to classes: it takes their `__hash__` for that of their instances."""
    return cast("Callable[P, Found]", cache(function))


@dataclass(frozen=True)
class Mark:
    """What `Annotated` says of a field of a record."""

    rest: bool = False
    sparse: bool = False
    key: str | None = None


REST = Mark(rest=True)
"""A mapping of all keys that no other field has; in JSON they stand beside these."""
SPARSE = Mark(sparse=True)
"""Not written where it is its default."""


def key(name: str) -> Mark:
    """The key of a field in JSON, where it is no name in Python."""
    return Mark(key=name)


class _Entry(NamedTuple):
    """A field, by the key that it has in JSON."""

    name: str
    key: str
    kind: object
    mark: Mark
    default: object


def parse(kind: type[Record], value: object, name: str, *, mend: str, within: str = "") -> Record:
    """A record from a value of JSON: strictly of its types, but for arrays that become tuples.

    Args:
        kind: The class of the record, or a type of several: `list[Line]`.
        value: As it was read; it stays as it is.
        name: What it is called in an error.
        mend: What to do where it is something else.
        within: The file of it that is meant.

    Raises:
        CorruptError: Names the first entry that is missing, or of another type.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_json(json.dumps(_arranged(kind, value)), strict=True)
    except ValidationError as error:
        place = f" in {within}" if within else ""
        raise CorruptError(f"{name} is not whole: {first_problem(error)}{place}", mend) from error


def read(kind: type[Record], path: Path, *, mend: str) -> Record:
    """The record in a JSON file; see `parse`.

    Raises:
        FileNotFoundError: There is none.
        CorruptError: It is damaged, or holds something else.
    """
    return parse(kind, read_json(path, mend=mend), str(path.parent), mend=mend, within=path.name)


def write(path: Path, record: object) -> None:
    """Write a record atomically; see `write_json`.

    Raises:
        DiskError: It cannot be written.
    """
    write_json(path, to_json(record))


def to_json(record: object) -> dict[str, object]:
    """A record as JSON has it: what `parse` reads, in the order of its fields."""
    whole: dict[str, object] = {}
    for entry in _entries(type(record)):
        value = getattr(record, entry.name)
        if entry.mark.rest:
            whole |= {name: as_json(item) for name, item in value.items()}
        elif not (entry.mark.sparse and value == entry.default):
            whole[entry.key] = as_json(value)
    return whole


def as_json(value: object) -> object:
    """A value as JSON has it: records are objects, tuples arrays, paths texts, numbers of NumPy numbers."""
    if is_dataclass(value):
        return to_json(value)
    if isinstance(value, Mapping):
        return {str(name): as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value.item() if hasattr(value, "item") else value


def plain(result: object) -> dict[str, object]:
    """A result, a record or a mapping, as JSON has it; NaN and infinity, which it lacks, are null."""
    told = _finite(as_json(result))
    assert isinstance(told, dict)
    return told


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _arranged(kind: object, value: object) -> object:
    """A value of JSON with the names of fields in the place of their keys, and the keys of the rest in their field."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _arranged(parts[0], value)
    if isinstance(value, list) and origin in (list, tuple):
        return [_arranged(parts[0], item) for item in value]
    if isinstance(value, dict) and origin in (dict, Mapping):
        return {name: _arranged(parts[1], item) for name, item in value.items()}
    if isinstance(value, dict) and isinstance(kind, type) and is_dataclass(kind):
        return _by_field(_entries(kind), value)
    for member in parts if origin in (Union, UnionType) else ():
        value = _arranged(member, value)
    return value


def _by_field(entries: Sequence[_Entry], value: Mapping[str, object]) -> dict[str, object]:
    known = {entry.key: entry for entry in entries if not entry.mark.rest}
    found = {known[key].name: _arranged(known[key].kind, item) for key, item in value.items() if key in known}
    others = {key: item for key, item in value.items() if key not in known}
    rest = next((entry for entry in entries if entry.mark.rest), None)
    return {**found, **(others if rest is None else {rest.name: _arranged(rest.kind, others)})}


@_once
def _entries(kind: type) -> tuple[_Entry, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(_entry(field, hints[field.name]) for field in fields(kind))


def _entry(field: "Field[object]", kind: object) -> _Entry:
    mark = next((each for each in get_args(kind) if isinstance(each, Mark)), Mark())
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return _Entry(field.name, mark.key or field.name, kind, mark, default)


@_once
def _adapter(kind: type[Record]) -> "TypeAdapter[Record]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def first_problem(error: "ValidationError") -> str:
    """The first problem, with its place: `settings.lr: ...`."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"{place!r} is missing"
    return f"{place}: {first['msg']}" if place else str(first["msg"])

"""What a store is about: the root's attributes, fixed when it is created."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from teachonce.cache.identity import plain, short
from teachonce.errors import CorruptError
from teachonce.types import Identity

_MOST = 1 << 40


@dataclass(frozen=True, kw_only=True)
class StoreSpec:
    """What a store is about: fixed when it is created."""

    rows: int
    views: int
    block_rows: int
    """A power of two; the rows of every chunk of the store."""
    identity: Identity
    """What `samples/digest` is computed over."""
    data: Mapping[str, Any]
    """The data, as JSON: description, class names, a digest of the labels."""
    views_spec: Mapping[str, Any]
    """How the views were made, as JSON: augmentation, seed, evaluation view."""

    def to_json(self) -> dict[str, Any]:
        """The root's attributes, beside `format` and `kind`."""
        value: dict[str, Any] = plain(asdict(self))
        return value


def read_spec(path: Path, attributes: Mapping[str, Any]) -> StoreSpec:
    """The spec in a root's attributes.

    Raises:
        CorruptError: A field is missing, or cannot be.
    """
    try:
        spec = StoreSpec(**{field: attributes[field] for field in StoreSpec.__dataclass_fields__})
    except KeyError as error:
        raise CorruptError(f"{path}: the attribute {error} is missing", "Restore its zarr.json from a copy") from None
    wrong = wrong_field(spec)
    if wrong:
        raise CorruptError(
            f"{path}: the attribute {wrong} is {short(getattr(spec, wrong))}", "Restore its zarr.json from a copy"
        )
    return spec


def is_names(value: Any) -> bool:
    """Whether a value of JSON can be the names of classes: texts, or none at all."""
    return value is None or (isinstance(value, list | tuple) and all(isinstance(name, str) for name in value))


def wrong_field(spec: StoreSpec) -> str | None:
    """The first field that no store can have; None where all are sound."""
    counts = ("rows", "views", "block_rows")
    wrong = [name for name in counts if type(value := getattr(spec, name)) is not int or not 1 <= value <= _MOST]
    if not wrong and spec.block_rows & (spec.block_rows - 1):
        wrong = ["block_rows"]
    wrong += [] if spec.identity in ("encoded", "array", "key") else ["identity"]
    wrong += [name for name in ("data", "views_spec") if not isinstance(getattr(spec, name), Mapping)]
    if not wrong and not is_names(spec.data.get("class_names")):
        wrong = ["data"]
    return wrong[0] if wrong else None

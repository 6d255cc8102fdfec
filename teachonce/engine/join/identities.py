"""The identities of a user's samples, computed as the store's were: of files, keys, arrays or texts, or as given."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from teachonce.cache.identity import short
from teachonce.data.torchsets import as_array, as_rgb
from teachonce.digests import digest_array, digest_bytes
from teachonce.engine.join.hashing import File, hash_files
from teachonce.engine.join.memo import Memo
from teachonce.engine.join.values import as_utf8
from teachonce.errors import InputError
from teachonce.events import Events
from teachonce.types import Identity

T = TypeVar("T")
Way = Callable[[Any, int], T] | Sequence[T]
"""One value an item: a function of (dataset, index), or a sequence in the order of the items."""

FITTING: dict[Identity, tuple[str, ...]] = {
    "encoded": ("files", "texts", "digests"),
    "array": ("arrays", "digests"),
    "key": ("keys", "digests"),
}
"""Which ways lead to identities of each kind."""


@dataclass(frozen=True, kw_only=True)
class Ways:
    """How to get at what a store identifies its rows by; exactly one is given."""

    files: Way[File] | None = None
    """Paths of the files, or their bytes."""
    digests: Way[int] | None = None
    """The identities themselves: unsigned 64-bit numbers, as `teachonce.digests` computes them; or int64 arrays and
    tensors of the same bits."""
    keys: Way[object] | None = None
    """Values of the key column."""
    arrays: Way[Any] | None = None
    """8-bit images, as they were embedded: arrays, tensors or PIL images."""
    texts: Way[str] | None = None

    def given(self) -> str | None:
        """The name of the way that is given; None: none is.

        Raises:
            InputError: Several are.
        """
        names = [field.name for field in fields(self) if getattr(self, field.name) is not None]
        if len(names) > 1:
            raise InputError(
                f"expected one of the arguments for identities, got {', '.join(names)}", "Give one of them"
            )
        return names[0] if names else None


@dataclass(frozen=True, kw_only=True)
class Identified:
    """The identities of a user's items."""

    digests: NDArray[np.uint64]
    """(n,), 0 where there are no bytes."""
    name: Callable[[int], str]
    """What to call an item in a message."""


def identify(
    ways: Ways, identity: Identity, *, dataset: Any, count: int | None, memo: Callable[[], Memo], events: Events
) -> Identified:
    """The identities of items.

    Args:
        ways: How to get at them.
        identity: What the store hashes.
        dataset: The first argument of functions.
        count: How many items; None: as many as the sequence has.
        memo: Opens what is known of files.
        events: Who watches.

    Raises:
        InputError: No way, several, one that does not fit the store, a sequence of another length, or values of
            another type.
    """
    kind = ways.given()
    if kind is None or kind not in FITTING[identity]:
        got = "got none" if kind is None else f"got {kind}="
        wanted = " or ".join(f"{name}=" for name in FITTING[identity])
        raise InputError(f"the store identifies rows by {identity!r}: expected {wanted}, {got}", _mend(kind))
    way = getattr(ways, kind)
    way = as_array(way, kind) if isinstance(way, Tensor) else way  # its items are numbers, not tensors
    total, at = _column(way, dataset, count, kind)
    if kind == "files":
        found = hash_files(total, at, memo(), events)
        return Identified(digests=found.digests, name=lambda i: found.paths[i] or f"item {i}")
    if kind == "digests":
        return Identified(digests=_digests(way, at, total), name=lambda i: f"item {i}")
    digest = {"keys": _of_key, "texts": _of_text, "arrays": _of_array}[kind]
    digests = np.fromiter((digest(at(i), i) for i in range(total)), np.uint64, total)
    return Identified(digests=digests, name=_namer(kind, at))


def _mend(kind: str | None) -> str:
    if kind is None:
        return "Give it, such as files=lambda dataset, i: the file of dataset[i]; items are not matched by position"
    return "Give the one that fits"


def _column(way: Any, dataset: Any, count: int | None, kind: str) -> tuple[int, Callable[[int], Any]]:
    if callable(way):
        if count is None:
            raise InputError(f"expected a sequence as {kind}, got a function", "Functions are for teacher.dataset()")
        return count, lambda i: way(dataset, i)
    if not _is_sequence(way):
        raise InputError(f"expected a sequence as {kind}, got one {type(way).__name__}", "Put its items into a list")
    if count is not None and len(way) != count:
        raise InputError(f"expected {kind} of {count} items, got {len(way)}", "Give one an item, in their order")
    return len(way), getattr(way, "iloc", way).__getitem__  # a pandas Series has labels, which may be others


def _is_sequence(way: Any) -> bool:
    if isinstance(way, str | bytes | bytearray | memoryview | Mapping) or getattr(way, "ndim", 1) == 0:
        return False
    return hasattr(way, "__len__") and hasattr(way, "__getitem__")


def _digests(way: Any, at: Callable[[int], Any], total: int) -> NDArray[np.uint64]:
    if isinstance(way, np.ndarray) and way.ndim == 1 and way.dtype in (np.int64, np.uint64):
        return way.astype(np.uint64)
    return np.fromiter((_of_digest(at(i), i) for i in range(total)), np.uint64, total)


def _of_digest(value: Any, item: int) -> int:
    value = as_array(value, f"the digest of item {item}") if isinstance(value, Tensor) else value
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = -1
    else:  # int64 is what torch computes with: the same bits
        number += 2**64 if number < 0 and getattr(value, "dtype", None) == np.int64 else 0
    if not 0 <= number < 2**64:
        got = short(repr(value), 60)
        raise InputError(f"expected a whole number from 0 to 2**64 - 1 as the digest of item {item}, got {got}")
    return number


def _of_key(value: object, item: int) -> int:
    return digest_bytes(as_utf8(value, f"the key of item {item}"))


def _of_text(value: object, item: int) -> int:
    if not isinstance(value, str):
        raise InputError(f"expected a text as item {item}, got {type(value).__name__}")
    return digest_bytes(as_utf8(value, f"item {item}"))


def _of_array(value: object, item: int) -> int:
    return digest_array(as_rgb(value, item))


def _namer(kind: str, at: Callable[[int], Any]) -> Callable[[int], str]:
    if kind == "arrays":
        return lambda i: f"item {i}"
    return lambda i: f"{kind[:-1]} {short(str(at(i)), 60)!r}"

"""Hashes of a chunk's bytes, of a journal and of a fingerprint (xxh3-128), and the JSON they are over."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import xxhash


def chunk_digest(data: bytes | memoryview) -> str:
    """The digest of a chunk file: xxh3-128, seed 0, as 32 lower-case hex digits (canonical, big-endian order)."""
    return str(xxhash.xxh3_128_hexdigest(data))


def journal_digest(records: Iterable[bytes]) -> str:
    """The digest over a journal: xxh3-128 over the bytes of its records in the order of the blocks."""
    hasher = xxhash.xxh3_128()
    for record in records:
        hasher.update(record)
    return str(hasher.hexdigest())


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no white space, in UTF-8: what a fingerprint is hashed over."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def fingerprint_digest(fields: Mapping[str, Any]) -> str:
    """The fingerprint of a target: xxh3-128 over the canonical JSON of what it depends on, in hex."""
    return chunk_digest(canonical_json(fields))


def plain(value: Any) -> Any:
    """The value as JSON gives it back (tuples become lists), so that two of them compare as stored ones do."""
    return json.loads(canonical_json(value))


def first_difference(stored: Any, given: Any, name: str = "", *, dotted: bool = False) -> tuple[str, Any, Any] | None:
    """The first field, in the order of those given, in which two JSON values differ: (name, stored, given).

    Args:
        stored: A JSON value.
        given: Another.
        name: Of both.
        dotted: Give the name as `a.b_c`, not in words: `a b c`.
    """
    if isinstance(stored, Mapping) and isinstance(given, Mapping):
        names = {key: f"{name}{'.' if dotted and name else ' '}{key}".strip() for key in {**given, **stored}}
        parts = (first_difference(stored.get(k), given.get(k), names[k], dotted=dotted) for k in names)
        return next(filter(None, parts), None)
    return None if stored == given else (name if dotted else name.replace("_", " "), stored, given)


def short(value: Any, limit: int = 72) -> str:
    """A value for a message, cut to `limit` characters."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    text = "nothing" if value is None else text
    return text if len(text) <= limit else f"{text[: limit - 3]}..."

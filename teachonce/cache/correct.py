"""Documents of which one bit has flipped: a digest that they hold, or that another document holds of them, finds it."""

import json
from collections.abc import Callable

from teachonce.cache.documents import begun_digest
from teachonce.cache.identity import chunk_digest

_MOST_BYTES = 64 << 10  # half a million bits, a few seconds
_KEY = b'"document": "'


def corrected(data: bytes, proves: Callable[[bytes], bool]) -> bytes | None:
    """The bytes that a document had before one of their bits flipped.

    Args:
        data: As they are now.
        proves: Whether bytes are those that were written.

    Returns:
        None where no single bit makes them so, or where they are longer than 64 KiB.
    """
    if len(data) > _MOST_BYTES:
        return None
    tried = bytearray(data)
    for place in range(len(tried)):
        for bit in range(8):
            tried[place] ^= 1 << bit
            if proves(bytes(tried)):
                return bytes(tried)
            tried[place] ^= 1 << bit
    return None


def proves_itself(data: bytes) -> bool:
    """Whether the document of a sealed group, as our writer spells it, has the digest that it holds as `document`.

    It is compared as text: without the line of that entry the document is spelled as the digest was made of it.
    """
    key = data.find(_KEY)
    start, end = data.rfind(b"\n", 0, key) + 1, data.find(b"\n", key) + 1
    digest = data[key + len(_KEY) : key + len(_KEY) + 32]
    return key > 0 and end > 0 and chunk_digest(data[:start] + data[end:]).encode() == digest


def proves_beginning(data: bytes) -> bool:
    """Whether the document of a target that is not sealed has the digest that it holds as `begun`."""
    try:
        attributes = json.loads(data)["attributes"]
        return bool(attributes["begun"] == begun_digest(attributes))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False

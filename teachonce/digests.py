"""The hashes of identity and integrity: xxh3, 64 bits for a row, 128 bits for files and weights."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray


def digest_bytes(data: bytes | memoryview) -> int:
    """The identity of bytes, as an unsigned 64-bit number (xxh3-64, seed 0): "encoded" and "key" rows."""
    return int(xxhash.xxh3_64_intdigest(data))


def digest_pieces(pieces: Iterable[bytes]) -> int:
    """What `digest_bytes` gives of the pieces put together."""
    hasher = xxhash.xxh3_64()
    for piece in pieces:
        hasher.update(piece)
    return int(hasher.intdigest())


def digest_array(array: NDArray[Any]) -> int:
    """The identity of an array, as an unsigned 64-bit number (xxh3-64, seed 0): "array" rows.

    Hashed are a line of dtype and shape, then the elements, little-endian, in C order. The line spells the dtype as
    NumPy's array protocol does, and the shape with commas: `|u1 32,32,3` and a newline.

    Args:
        array: Any shape, any dtype of fixed size; the memory layout does not matter.
    """
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
    hasher = xxhash.xxh3_64(f"{array.dtype.str} {','.join(map(str, array.shape))}\n".encode())
    # reshape, not ravel of a memoryview: a zero-dimensional array has no buffer of bytes otherwise
    hasher.update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    return int(hasher.intdigest())


def digest_hex(data: bytes | memoryview) -> str:
    """The xxh3-128 of bytes, 32 hexadecimal digits."""
    return str(xxhash.xxh3_128_hexdigest(data))

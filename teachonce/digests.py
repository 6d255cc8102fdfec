"""The hashes of identity and integrity: xxh3, 64 bits for a row, 128 bits for files and weights."""

import numpy as np
import xxhash


def digest_bytes(data: bytes | memoryview) -> int:
    """The identity of bytes, as an unsigned 64-bit number (xxh3-64, seed 0): "encoded" and "key" rows."""
    return xxhash.xxh3_64_intdigest(data)


def digest_array(array: np.ndarray) -> int:
    """The identity of an array, as an unsigned 64-bit number: "array" rows.

    Hashed (xxh3-64, seed 0) are the dtype's NumPy string (`|u1`, `<f4`), a comma, the shape as decimal numbers joined
    by "x", one zero byte, then the elements in C order.

    Args:
        array: Any shape, any dtype of fixed size; the memory layout does not matter.
    """
    hasher = xxhash.xxh3_64(f"{array.dtype.str},{'x'.join(map(str, array.shape))}\0".encode())
    # reshape, not ravel of a memoryview: a zero-dimensional array has no buffer of bytes otherwise
    hasher.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return hasher.intdigest()


def digest_hex(data: bytes | memoryview) -> str:
    """The xxh3-128 of bytes, 32 hexadecimal digits."""
    return xxhash.xxh3_128_hexdigest(data)

"""Stored dtypes: their NumPy and Zarr names, their fill values, and the cast from float32 into them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.errors import InputError, NonFiniteError


@dataclass(frozen=True, kw_only=True)
class Stored:
    """How one dtype lies on disk (always little-endian)."""

    numpy: np.dtype[Any]
    zarr: str
    """Zarr's name of the data type."""
    fill: Any
    """The fill value as a NumPy scalar would take it."""
    fill_json: Any
    """The fill value as the array's document spells it."""
    infinity: int | None = None
    """The bits of +infinity where the values are floating point."""


STORED = {
    "float16": Stored(numpy=np.dtype("<f2"), zarr="float16", fill=np.nan, fill_json="NaN", infinity=0x7C00),
    "bfloat16": Stored(numpy=np.dtype("<u2"), zarr="uint16", fill=0x7FC0, fill_json=0x7FC0, infinity=0x7F80),
    "float32": Stored(numpy=np.dtype("<f4"), zarr="float32", fill=np.nan, fill_json="NaN", infinity=0x7F800000),
    "uint8": Stored(numpy=np.dtype("u1"), zarr="uint8", fill=0, fill_json=0),
    "int32": Stored(numpy=np.dtype("<i4"), zarr="int32", fill=-1, fill_json=-1),
    "int64": Stored(numpy=np.dtype("<i8"), zarr="int64", fill=0, fill_json=0),
    "uint64": Stored(numpy=np.dtype("<u8"), zarr="uint64", fill=0, fill_json=0),
}


def stored(dtype: str) -> Stored:
    """How a dtype lies on disk.

    Raises:
        InputError: No array of a store has this dtype.
    """
    if dtype not in STORED:
        raise InputError(f"no stored dtype is called {dtype!r}", f"Use one of {', '.join(STORED)}")
    return STORED[dtype]


def to_stored(values: NDArray[np.float32], dtype: str) -> NDArray[Any]:
    """Cast finite float32 values to a stored dtype, rounding to the nearest, ties to even.

    Args:
        values: float32, any shape.
        dtype: float16, bfloat16 (the result is uint16 bits) or float32.

    Returns:
        The same shape in the NumPy dtype of the stored one.

    Raises:
        NonFiniteError: A value is NaN or infinite, or becomes infinite by the cast; names the first axis' index.
    """
    kind = stored(dtype)
    if kind.infinity is None:
        raise InputError(f"{dtype} is not a dtype of embeddings or logits", "Use float16, bfloat16 or float32")
    values = np.ascontiguousarray(values, dtype="<f4")
    if dtype == "bfloat16":
        result = _bfloat16_bits(values)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            result = values.astype(kind.numpy)
    if is_finite(result, dtype):
        return result
    raise _cast_error(values, result, dtype)


def from_stored(values: NDArray[Any], dtype: str) -> NDArray[np.float32]:
    """The stored values as float32, exactly; bfloat16 is given as uint16 bits."""
    if dtype == "bfloat16":
        return (values.astype("<u4") << np.uint32(16)).view("<f4")
    return values.astype(np.float32)


def is_finite(values: NDArray[Any], dtype: str) -> bool:
    """Whether no stored value is NaN or infinite; by its bits, which is several times faster than `np.isfinite`."""
    infinity = STORED[dtype].infinity
    if infinity is None or values.size == 0:
        return True
    bits = values.view(f"<u{values.dtype.itemsize}")
    return bool((bits & bits.dtype.type((1 << (8 * bits.dtype.itemsize - 1)) - 1)).max() < infinity)


def row_peaks(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The bits of the largest magnitude in each row, NaN above infinity.

    Args:
        values: (rows, length) as stored.
        dtype: A floating one.

    Returns:
        Unsigned (rows,): 0 where a row is all zeros, `STORED[dtype].infinity` or more where it is not finite.
    """
    bits = values.view(f"<u{values.dtype.itemsize}")
    peaks: NDArray[Any] = (bits & bits.dtype.type((1 << (8 * bits.dtype.itemsize - 1)) - 1)).max(axis=1)
    return peaks


def _bfloat16_bits(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    bits = values.view("<u4")
    rounded = (bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))) >> np.uint32(16)
    result: NDArray[np.uint16] = rounded.astype("<u2")
    result[np.isnan(values)] = 0x7FC0  # rounding up may carry a NaN into zero
    return result


def _cast_error(values: NDArray[np.float32], result: NDArray[Any], dtype: str) -> NonFiniteError:
    flat = result.reshape(len(result), -1) if result.ndim else result.reshape(1, 1)
    bad = next(i for i, row in enumerate(flat) if not is_finite(row, dtype))
    original = values.reshape(flat.shape)[bad]
    if not np.isfinite(original).all():
        return NonFiniteError(f"row {bad} of the batch has NaN or infinity", "Check the teacher's weights and inputs")
    largest = float(np.abs(original).max())
    return NonFiniteError(
        f"row {bad} of the batch has {largest:.6g}, which is infinity in {dtype}",
        "Use --dtype bfloat16 or float32" if dtype == "float16" else "Use --dtype float32",
    )

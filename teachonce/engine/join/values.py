"""What a user gives, as numbers, names and bytes of one form; or an error that says what was expected."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.bounds import MOST_SIDE
from teachonce.cache.identity import short
from teachonce.data.torchsets import as_array
from teachonce.errors import InputError

Rows = NDArray[np.int64]
Channels = tuple[float, float, float]


def as_rows(values: Any, what: str) -> Rows:
    """Numbers of rows or views as int64 (B,): of a tensor on any device, an array, a list, or a single number.

    Raises:
        InputError: They are no whole numbers.
    """
    array = np.atleast_1d(as_array(values, f"{what}s as whole numbers of shape (B,)"))
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(
            f"expected {what}s as whole numbers of shape (B,), got {array.dtype} {array.shape}",
            f"Give the numbers of the {what}s, such as rows_of gives, or np.flatnonzero of a mask",
        )
    return array.astype(np.int64, copy=False)


def as_number(value: Any, what: str) -> int:
    """One number of a row or a view, as `as_rows` takes it.

    Raises:
        InputError: It is no whole number, or not one.
    """
    numbers = as_rows(value, what)
    if len(numbers) != 1:
        raise InputError(f"expected one {what}, got {len(numbers)}", "Give its number")
    return int(numbers[0])


def as_names(values: Any, what: str) -> tuple[str, ...]:
    """Names of targets or arrays: one, or several.

    Raises:
        InputError: They are no texts.
    """
    try:
        names = (values,) if isinstance(values, str) else tuple(values)
    except (TypeError, RuntimeError):  # a number; an array or a tensor without a length
        names = ()
    if not names or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"expected {what} as a name or several, got {short(repr(values), 60)}", f"Name the {what} of the store"
        )
    return names


def as_path(value: Any, what: str) -> Path:
    """A path, absolute.

    Raises:
        InputError: It is none.
    """
    try:
        return Path(value).absolute()
    except TypeError as error:
        raise InputError(f"expected {what} as a path, got {type(value).__name__}", "Give a str or a Path") from error


def as_size(value: Any) -> tuple[int, int]:
    """Height and width: one number is both.

    Raises:
        InputError: They are no whole numbers, or out of range.
    """
    array = as_array(value, "a size in pixels")
    if array.shape not in ((), (2,)) or array.dtype.kind not in "iu" or ((array < 1) | (array > MOST_SIDE)).any():
        mend = f"Give a whole number from 1 to {MOST_SIDE}, or (height, width)"
        raise InputError(f"expected a size in pixels, got {short(repr(value), 60)}", mend)
    height, width = np.broadcast_to(array, 2).tolist()
    return height, width


def as_channels(value: Any, what: str, *, positive: bool = False) -> Channels:
    """One finite number a channel.

    Raises:
        InputError: They are not three, or not finite in float32; or `positive` and one is not.
    """
    array = as_array(value, f"{what} as three numbers")
    wanted = f"{what} as three {'positive' if positive else 'finite'} numbers"
    if array.shape != (3,) or array.dtype.kind not in "iuf":
        raise InputError(f"expected {wanted}, got {array.dtype} {array.shape}", "Give one a channel, from 0 to 1")
    with np.errstate(over="ignore"):
        computed = array.astype(np.float32)
    if not np.isfinite(computed).all() or (positive and (computed <= 0).any()):
        raise InputError(f"expected {wanted}, got {array.tolist()}", "Give one a channel, from 0 to 1")
    red, green, blue = map(float, array.tolist())
    return red, green, blue


def as_buffer(data: bytes | bytearray | memoryview) -> memoryview:
    """The bytes side by side, as they are hashed: copied where a view of them has gaps."""
    view = memoryview(data)
    return view if view.c_contiguous else memoryview(view.tobytes())


def as_utf8(value: object, what: str) -> bytes:
    """A text, or what a value is written as, in UTF-8.

    Raises:
        InputError: It has half a character (a lone surrogate), as no text of the store has.
    """
    try:
        return str(value).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"expected {what} in UTF-8, got {short(repr(value), 60)}", "Decode it with its own encoding"
        ) from error


def as_file(value: Any, item: int) -> str | memoryview:
    """A path, or the bytes of a file.

    Raises:
        InputError: It is neither.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return as_buffer(value)
    if isinstance(value, str | os.PathLike):
        return os.fsdecode(value)
    raise InputError(f"expected the path or the bytes of item {item}, got {type(value).__name__}")


def inside(numbers: Rows, count: int) -> Rows:
    """Indices as sequences have them: negative ones count from the end.

    Raises:
        IndexError: There is no such item.
    """
    wrong = (numbers < -count) | (numbers >= count)
    if wrong.any():
        raise IndexError(f"there is no item {numbers[wrong][0]}: there are {count}")
    return np.where(numbers < 0, numbers + count, numbers)

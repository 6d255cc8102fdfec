"""Chunk files side by side in one reserved address range: many files, one flat read-only array.

The range is reserved first (`mmap` with PROT_NONE), then each file is mapped into its slot with MAP_FIXED. A slot is
the chunk rounded up to whole pages. Where chunks are whole pages there are no gaps, and a shuffled batch is one index
into one flat array.
"""

import ctypes
import functools
import mmap
import os
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.chunks import found_at, wrong_size
from teachonce.cache.layout import Grid
from teachonce.errors import CorruptError
from teachonce.fsio import open_regular

AVAILABLE = sys.platform in ("linux", "darwin") and ctypes.sizeof(ctypes.c_void_p) == 8

_PROT_NONE, _MAP_FIXED = 0, 0x10  # the same on Linux and macOS
_FAILED = ctypes.c_void_p(-1).value
_MOST = 32_768  # Linux allows 65,530 maps a process, and others need some


class MappingError(Exception):
    """The system refuses so many or so large maps; a loop over single maps still works."""


class _Range:
    """Reserved addresses, given back when the last array over them is gone."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.address = _mmap(None, size, _PROT_NONE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1)
        weakref.finalize(self, _munmap, self.address, size).atexit = False  # the process takes its maps along
        self.__array_interface__: dict[str, Any] = {}

    def array(self, dtype: np.dtype[Any], shape: tuple[int, ...], strides: tuple[int, ...]) -> NDArray[Any]:
        """A read-only array over the range, which lives as long as the array."""
        where = {"version": 3, "data": (self.address, True), "typestr": dtype.str}
        self.__array_interface__ = {**where, "shape": shape, "strides": strides}
        return np.asarray(self)


def map_chunks(root: Path, grid: Grid, keys: Sequence[str]) -> NDArray[Any]:
    """All chunks of an array as one read-only array (chunks, block rows, length), in the order of `keys`.

    Raises:
        CorruptError: A file is missing or not of its size; touching it would kill the process.
        MappingError: The system does not allow it.
    """
    if not AVAILABLE or len(keys) > _MOST:
        raise MappingError(f"{len(keys)} maps")
    slot = -(-grid.chunk_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
    reserved = _Range(slot * len(keys))
    for number, key in enumerate(keys):
        _map_file(root / key, grid.chunk_bytes, reserved.address + number * slot)
    length = grid.shape[-1] * grid.numpy.itemsize
    shape = (len(keys), grid.chunk[0], grid.shape[-1])
    return reserved.array(grid.numpy, shape, (slot, length, grid.numpy.itemsize))


def _map_file(path: Path, size: int, address: int) -> None:
    try:
        descriptor = open_regular(path)
    except (OSError, CorruptError):
        raise wrong_size(path, size, found_at(path)) from None
    try:
        found = os.fstat(descriptor).st_size
        if found != size:
            raise wrong_size(path, size, f"{found} bytes")
        _mmap(address, size, mmap.PROT_READ, mmap.MAP_SHARED | _MAP_FIXED, descriptor)
    finally:
        os.close(descriptor)


@functools.cache
def _libc() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_longlong,
    )
    library.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    return library


def _mmap(address: int | None, size: int, protection: int, flags: int, descriptor: int) -> int:
    result = _libc().mmap(address, size, protection, flags, descriptor, 0)
    if result in (None, _FAILED):
        raise MappingError(os.strerror(ctypes.get_errno()))
    return int(result)


def _munmap(address: int, size: int) -> None:
    _libc().munmap(address, size)

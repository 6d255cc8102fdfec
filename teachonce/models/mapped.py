"""Tensors in memory that is mapped from files: which they are, and giving their pages back once they are copied."""

import ctypes
import mmap
import sys
from bisect import bisect_right
from pathlib import Path

from torch import Tensor

_MAPS = Path("/proc/self/maps")
_DONTNEED = 4  # of Linux: the pages of a file's map are read again if they are looked at again
_ALIGNED = 64  # bytes: what torch's own allocator gives


class FileMaps:
    """The ranges of addresses that are mapped from files, as they are now; unknown where the system does not say."""

    def __init__(self) -> None:
        self._ranges = _ranges() if _MAPS.exists() else None

    def holds(self, tensor: Tensor) -> bool:
        """Whether a tensor lies in one, or may."""
        start = tensor.data_ptr()
        if self._ranges is None or start % _ALIGNED:
            return True
        index = bisect_right(self._ranges, (start, sys.maxsize)) - 1
        return index >= 0 and start < self._ranges[index][1]

    def give_back(self, tensor: Tensor) -> None:
        """Free the pages that a tensor alone lies on, in one of these ranges: what reads them again, reads the file."""
        if self._ranges is None or not self.holds(tensor):
            return
        page = mmap.PAGESIZE
        start = -(-tensor.data_ptr() // page) * page
        end = (tensor.data_ptr() + tensor.nbytes) // page * page
        index = bisect_right(self._ranges, (start, sys.maxsize)) - 1
        if start < end and index >= 0 and end <= self._ranges[index][1]:
            madvise = ctypes.CDLL(None).madvise
            madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONTNEED)  # advice: it may be refused


def _ranges() -> list[tuple[int, int]]:
    """First address and end of each map of a file, in order."""
    found = []
    for line in _MAPS.read_text().splitlines():
        addresses, _, _, _, inode, *path = line.split(maxsplit=5)
        if inode != "0" and path:
            first, end = (int(address, 16) for address in addresses.split("-"))
            found.append((first, end))
    return sorted(found)

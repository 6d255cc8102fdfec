"""Freed memory stays with the process: the next step of a training takes what the last one gave back.

By default glibc returns large freed blocks to the system, or does not, by how a process happened to begin (its
thresholds grow with what was freed before; `man mallopt`). A step on the CPU then faults in its activations anew, page
by page: trainings that are alike differ by a tenth and more.
"""

import ctypes
import os
import sys
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_NEVER = -1
_LARGE = (1 << 30, 32 << 20)
"""Bytes of blocks that go back at once: no activation is as large; and the most that an older glibc accepts."""
_CHOSEN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_")

_kept = False


def keep_freed() -> bool:
    """Let this process keep what it frees, in blocks below 1 GiB (32 MiB by an older glibc).

    A program calls it once, as it begins, before it starts threads. What other threads than the main one free is kept
    up to 64 MiB a block, the size of their heaps. The price: the process stays nearly as large as it ever was; see
    `give_back`. Nothing changes where the C library is not glibc, or where the user has chosen for it, by its variables
    `MALLOC_TRIM_THRESHOLD_`, `MALLOC_MMAP_THRESHOLD_`, `MALLOC_TOP_PAD_`, `MALLOC_MMAP_MAX_` or by `GLIBC_TUNABLES`;
    nor where another allocator was loaded in its place, though that is not seen.

    Returns:
        Whether glibc was told to.
    """
    global _kept
    chosen = any(name in os.environ for name in _CHOSEN) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    told = None if chosen else _function("mallopt")
    _kept = (
        told is not None and any(told(_MMAP_THRESHOLD, size) for size in _LARGE) and bool(told(_TRIM_THRESHOLD, _NEVER))
    )
    return _kept


def keeps_freed() -> bool:
    """Whether this process was told to keep what it frees: it moves the times of steps."""
    return _kept


def give_back() -> None:
    """Return to the system what is free now: what comes next may be smaller, or not ours."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(ctypes.c_size_t(0))


def _function(name: str) -> Any:
    """A function of glibc; None where there is none."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None

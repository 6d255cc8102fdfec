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
_LARGE = 1 << 30  # bytes: a block as large is no activation, and goes back at once
_CHOSEN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_")


def keep_freed() -> bool:
    """Let this process keep what it frees, in blocks below 1 GiB; a program calls it once, as it begins.

    Nothing changes where the C library is not glibc, or where the user has chosen for it, by its variables
    `MALLOC_TRIM_THRESHOLD_`, `MALLOC_MMAP_THRESHOLD_`, `MALLOC_TOP_PAD_`, `MALLOC_MMAP_MAX_` or by `GLIBC_TUNABLES`.

    Returns:
        Whether it does.
    """
    chosen = any(name in os.environ for name in _CHOSEN) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    set_option = None if chosen else _function("mallopt")
    if set_option is None:
        return False
    return bool(set_option(_MMAP_THRESHOLD, _LARGE)) and bool(set_option(_TRIM_THRESHOLD, _NEVER))


def give_back() -> None:
    """Return to the system what is free now: what comes next may be smaller, or not ours."""
    trim = _function("malloc_trim")
    if trim is not None:
        trim(ctypes.c_size_t(0))


def _function(name: str) -> Any:
    """A function of glibc; None where there is none."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None

"""Digests of files that were hashed before: kept beside the store, and void as soon as a file changes.

The file is a line of its format, a line with the xxh3-128 of the rest, and entries of 24 bytes: the xxh3-128 of a
file's absolute path, size, times of modification and of status change, and inode; then its xxh3-64. So a file that is
another one has another entry, and nothing in it need be believed but its digest.
"""

import os
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from teachonce.digests import digest_hex
from teachonce.errors import CorruptError, DiskError
from teachonce.fsio import read_file, write_bytes

_HEAD = b"teachonce.files 1\n"
_ENTRY = np.dtype([("high", "<u8"), ("low", "<u8"), ("digest", "<u8")])
_RECENT_NS = 2_000_000_000  # a file this new may change again within one tick of its clock
_MOST_BYTES = 1 << 30  # 44 million files; a larger one is not read
_MOST_OLD = 4  # entries of other files are kept, up to so many times those in use

_MOST_ENTRIES = _MOST_BYTES // _ENTRY.itemsize - 3  # with the lines at its head

FileKey = tuple[int, int]


def file_key(path: str, found: os.stat_result) -> FileKey:
    """What tells this file from every other, and from itself before a change: 128 bits."""
    facts = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    text = os.fsencode(os.path.abspath(path)) + b"\0" + "\0".join(map(str, facts)).encode()  # noqa: PTH100 - ten times faster
    return divmod(xxhash.xxh3_128_intdigest(text), 1 << 64)


def is_settled(found: os.stat_result) -> bool:
    """Whether the file is a regular one, and old enough that a later change gives it another time.

    The time of its status counts too: whoever writes may put the time of modification back, as tools that copy do.
    """
    changed = max(found.st_mtime_ns, found.st_ctime_ns)
    return stat.S_ISREG(found.st_mode) and time.time_ns() - changed > _RECENT_NS


class Memo:
    """Digests by file; reading and keeping never fail, at worst everything is hashed again.

    Args:
        store: The store that it lies beside, or where that cannot be written, in the user's cache folder.
    """

    def __init__(self, store: Path) -> None:
        self.places = (beside(store), _in_user_cache(store))
        self._entries = np.unique(np.concatenate([_load(place) for place in self.places]))
        self._used: list[tuple[int, int, int]] = []

    def find(self, keys: Sequence[FileKey | None]) -> list[int | None]:
        """The digest of each file; None where it is not known."""
        given = np.array([key or (0, 0) for key in keys], np.uint64).reshape(-1, 2)
        if not len(self._entries):
            return [None] * len(keys)
        place = np.searchsorted(self._entries["high"], given[:, 0]).clip(max=len(self._entries) - 1)
        entries = self._entries[place]
        known = (entries["high"] == given[:, 0]) & (entries["low"] == given[:, 1])
        pairs = zip(keys, known.tolist(), entries["digest"].tolist(), strict=True)
        found = [digest if is_known and key is not None else None for key, is_known, digest in pairs]
        self._used += [(*key, digest) for key, digest in zip(keys, found, strict=True) if key and digest is not None]
        return found

    def keep(self, new: Sequence[tuple[FileKey, int]]) -> Path | None:
        """Write what was found and what is new; returns where, or None where nothing could be written or need be."""
        if not new:
            return None
        used = np.unique(np.array([*self._used, *((*key, digest) for key, digest in new)], _ENTRY))
        old = self._entries[~np.isin(self._entries, used)][: _MOST_OLD * len(used)]
        data = np.unique(np.concatenate([used, old])[:_MOST_ENTRIES]).tobytes()
        for place in self.places:
            with suppress(DiskError, OSError):
                write_bytes(place, _HEAD + digest_hex(data).encode() + b"\n" + data)
                return place
        return None


def beside(store: Path) -> Path:
    """The file beside a store."""
    place = store.resolve()  # `.` has no name
    return place.with_name(f"{place.name}.files")


def _in_user_cache(store: Path) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "teachonce"
    return folder / f"{digest_hex(os.fsencode(store.absolute()))}.files"


def _load(path: Path) -> NDArray[np.void]:
    """The entries of a file; none where it is missing, damaged, too large, or no file."""
    with suppress(OSError, CorruptError):
        data = read_file(path, most=_MOST_BYTES)
        start = len(_HEAD) + 33
        if data.startswith(_HEAD) and data[len(_HEAD) : start] == digest_hex(data[start:]).encode() + b"\n":
            whole = len(data) - (len(data) - start) % _ENTRY.itemsize
            return np.frombuffer(data[start:whole], _ENTRY)
    return np.empty(0, _ENTRY)

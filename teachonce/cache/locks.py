"""Locks that die with the process: one byte a block in a journal's lock file, and one lock for a store's documents.

POSIX record locks belong to a process and vanish when it closes *any* descriptor of the file; so a process keeps one
descriptor a file, counts its own ranges, and closes it with the last of them. A forked child holds no lock.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from teachonce.errors import BusyError
from teachonce.fsio import disk_errors, make_folder

_MEND = "Wait for it to end, or give the two disjoint ranges of blocks"


@dataclass
class _File:
    descriptor: int
    ranges: list[range] = field(default_factory=list)


_FILES: dict[tuple[int, int], _File] = {}
_GUARD = threading.RLock()
_DOCUMENTS = threading.RLock()


def _forget() -> None:
    global _GUARD, _DOCUMENTS  # the child may have been forked while a thread held them
    _GUARD, _DOCUMENTS = threading.RLock(), threading.RLock()
    for file in _FILES.values():
        with suppress(OSError):
            os.close(file.descriptor)
    _FILES.clear()


os.register_at_fork(after_in_child=_forget)


class BlockLock:
    """The right to write the blocks of a range, from construction to `release`."""

    def __init__(self, path: Path, blocks: range) -> None:
        """Take it.

        Args:
            path: The lock file; made if it is not there.
            blocks: A range of step 1.

        Raises:
            BusyError: Another process, or another writer of this one, holds a block of the range.
            DiskError: The file cannot be opened for writing.
        """
        self._process, self._blocks = os.getpid(), blocks
        with _GUARD, disk_errors(path):
            make_folder(path.parent)
            path.touch()
            status = path.stat()
            self._key = (status.st_dev, status.st_ino)
            if self._key not in _FILES:
                _FILES[self._key] = _File(os.open(path, os.O_RDWR | os.O_CLOEXEC))
            try:
                self._take(path)
            finally:
                self._close_unused()

    def _take(self, path: Path) -> None:
        file = _FILES[self._key]
        if any(max(held.start, self._blocks.start) < min(held.stop, self._blocks.stop) for held in file.ranges):
            raise BusyError(f"another writer of this process holds blocks of {path.parent}", _MEND)
        try:
            _lock(file.descriptor, self._blocks)
        except (BlockingIOError, PermissionError):
            blocks = f"blocks {self._blocks.start} to {self._blocks.stop - 1}"
            raise BusyError(f"another process is writing some of {blocks} of {path.parent}", _MEND) from None
        file.ranges.append(self._blocks)

    def _close_unused(self) -> None:
        if not _FILES[self._key].ranges:
            os.close(_FILES.pop(self._key).descriptor)

    def release(self) -> None:
        """Give it back; a second call does nothing."""
        with _GUARD:
            file = _FILES.get(self._key)
            if self._process != os.getpid() or file is None or self._blocks not in file.ranges:
                return
            file.ranges.remove(self._blocks)
            if len(self._blocks):
                fcntl.lockf(file.descriptor, fcntl.LOCK_UN, len(self._blocks), self._blocks.start)
            self._close_unused()


def _lock(descriptor: int, blocks: range) -> None:
    if len(blocks):  # a length of zero would lock to the end of the file
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, len(blocks), blocks.start)


@contextmanager
def documents_lock(root: Path) -> Iterator[None]:
    """Be the only one who writes the documents and the seals of a store; waits for the others.

    Raises:
        DiskError: The lock file `journal/lock` cannot be opened for writing.
    """
    path = root / "journal" / "lock"
    with _DOCUMENTS:
        make_folder(path.parent)
        with disk_errors(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            with disk_errors(path):
                fcntl.lockf(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

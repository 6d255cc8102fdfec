"""The identities of many files: hashed in threads, said before, shown, and kept for the next time."""

import os
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from teachonce.data.workers import count_workers, in_order
from teachonce.digests import digest_bytes, digest_pieces
from teachonce.engine.join.memo import FileKey, Memo, file_key, is_settled
from teachonce.engine.join.values import as_file
from teachonce.engine.rows import WORTH_TELLING
from teachonce.events import SILENT, Events

_CHUNK = 64  # files; the first so many tell how long the rest takes
_PIECE = 4 << 20  # bytes that are read at once: whatever is given as a file, the memory stays bounded

File = str | os.PathLike[str] | bytes | bytearray | memoryview


class Hashed(NamedTuple):
    """A file that was read."""

    digest: int
    """0 where it cannot be read, or is empty."""
    key: FileKey | None
    """None where it must not be kept: it changes, or has just changed."""


class Located(NamedTuple):
    """Items as they were given."""

    digests: NDArray[np.uint64]
    """(n,), of those that were given as bytes; 0 elsewhere."""
    paths: list[str | None]
    """(n,), of those that were given as paths."""


def hash_files(count: int, at: Callable[[int], File], memo: Memo, events: Events) -> Located:
    """The identity of each file.

    Args:
        count: How many.
        at: The path of the i-th, or its bytes.
        memo: What is known of earlier times, and where to keep what is found.
        events: Who watches.

    Returns:
        (n,) digests, 0 where a file cannot be read or is empty; and the paths.

    Raises:
        InputError: What `at` gives is neither.
    """
    digests, paths = _locate(count, at, events)
    todo = [i for i, path in enumerate(paths) if path is not None]
    stats = [_stat(paths[i] or "") for i in todo]
    keys = [None if found is None else file_key(paths[i] or "", found) for i, found in zip(todo, stats, strict=True)]
    known = memo.find(keys)
    sizes = {i: found.st_size for i, found in zip(todo, stats, strict=True) if found is not None}
    for i, digest in zip(todo, known, strict=True):
        digests[i] = digest or 0
    unknown = [i for i, digest in zip(todo, known, strict=True) if digest is None and i in sizes]
    results = _hash([paths[i] or "" for i in unknown], [sizes[i] for i in unknown], memo, events)
    digests[unknown] = [result.digest for result in results]
    memo.keep([(result.key, result.digest) for result in results if result.key is not None and result.digest])
    return Located(digests, paths)


def _locate(count: int, at: Callable[[int], File], events: Events) -> Located:
    """Ask for each item; bytes are hashed and dropped at once."""
    digests, paths = np.zeros(count, np.uint64), list[str | None](None for _ in range(count))
    watch = events if count > WORTH_TELLING else SILENT
    size, start = 0, time.perf_counter()
    with watch.task("read the data", total=count, unit="items") as task:
        for i in range(count):
            value = as_file(at(i), i)
            if isinstance(value, str):
                paths[i] = value
            else:
                size += value.nbytes
                digests[i] = digest_bytes(value) if value.nbytes else 0
            if i == _CHUNK and size:
                share = count / _CHUNK
                _tell(watch, count, size * share, (time.perf_counter() - start) * share)
            task.advance()
    return Located(digests, paths)


def _hash(paths: Sequence[str], sizes: Sequence[int], memo: Memo, events: Events) -> list[Hashed]:
    start = time.perf_counter()
    results = [_hash_file(path) for path in paths[:_CHUNK]]
    rest = paths[_CHUNK:]
    if not rest:
        return results
    workers, share = count_workers(None), sum(sizes) / max(sum(sizes[:_CHUNK]), 1)
    _tell(events, len(paths), sum(sizes), (time.perf_counter() - start) * share / workers, memo)
    chunks = [rest[i : i + _CHUNK] for i in range(0, len(rest), _CHUNK)]
    done = closing(in_order(lambda chunk: [_hash_file(path) for path in chunk], chunks, workers=workers))
    with events.task("hash the files", total=len(paths), done=_CHUNK, unit="files") as task, done as parts:
        for part in parts:
            results += part
            task.advance(len(part))
    return results


def _tell(events: Events, count: int, size: float, seconds: float, memo: Memo | None = None) -> None:
    kept = "" if memo is None else f"; the digests are cached in {memo.places[0].name}, or in the user's cache"
    events.info(
        f"{count:,} files are hashed to find their rows: {size / 1e9:.3g} GB, about {max(seconds, 0.1):.1f} s{kept}"
    )


def _hash_file(path: str) -> Hashed:
    try:
        with Path(path).open("rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            digest = digest_pieces(iter(lambda: file.read(_PIECE), b""))
            size = file.tell()
            after = os.fstat(file.fileno())
    except OSError:
        return Hashed(0, None)
    key = file_key(path, after)
    kept = is_settled(after) and key == file_key(path, before) and size == after.st_size
    return Hashed(digest if size else 0, key if kept else None)


def _stat(path: str) -> os.stat_result | None:
    """None where there is no regular file: reading a pipe would wait for ever."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path for each of a million files takes longer than its stat
    except (OSError, ValueError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None

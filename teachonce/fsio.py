"""Writing that survives a kill: temporary file, fsync, rename, fsync of the folder; and disk errors in one line."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from teachonce.errors import DiskError

TEMPORARY = ".teachonce-tmp-"

_MENDS = {
    errno.ENOSPC: "Free some space, then run the same command again: it goes on where it stopped",
    errno.EDQUOT: "Free some of the quota, then run the same command again: it goes on where it stopped",
    errno.EROFS: "The file system is read-only: choose another place",
    errno.EACCES: "Choose a place you may write to",
    errno.EPERM: "Choose a place you may write to",
}


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError of the body into a DiskError that names `path` and the mend.

    Raises:
        DiskError: In the place of any OSError that is not a DiskError already.
    """
    try:
        yield
    except DiskError:
        raise
    except OSError as error:
        mend = _MENDS.get(error.errno or 0, "Check the disk, then run the same command again")
        raise DiskError(f"could not write {path}: {error.strerror or error}", mend) from error


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a file so that after a crash it holds the old content or the new, never a part.

    Raises:
        DiskError: The disk is full, read-only or failing; no temporary file is left.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically: sorted keys, two spaces, one newline at the end; the same value gives the same bytes."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """The bytes that `write_json` writes."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporaries(folder: Path) -> None:
    """Remove what killed writers left below a folder."""
    for path in folder.rglob(f"{TEMPORARY}*"):
        path.unlink(missing_ok=True)


def require_space(path: Path, needed: int) -> None:
    """Refuse to begin when `needed` bytes do not fit on the disk that will hold `path`.

    Raises:
        DiskError: Too little free space.
    """
    folder = path
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskError(
            f"{path} needs {needed / 1e9:.3g} GB, the disk has {free / 1e9:.3g} GB free",
            "Free some space, or use fewer rows (--limit), fewer views, or a smaller --dtype",
        )

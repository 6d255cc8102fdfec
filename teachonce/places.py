"""Places that will be written: refused before anything is computed for them."""

import errno
import os
import shutil
import tempfile
from pathlib import Path

from teachonce.errors import DiskError
from teachonce.fsio import disk_errors


def require_writable(path: Path, option: str = "--store") -> None:
    """Refuse to begin where `path` cannot be written, which may not be there yet.

    Args:
        path: What will be written, a file or a folder.
        option: By which the user chose it.

    Raises:
        DiskError: A part of the path is no folder, or its name is too long; the file system is read-only, or the folder
            is not ours to write, or takes no files, as /proc.
    """
    with disk_errors(path):  # a name may be too long
        folder = next(place for place in (path, *path.absolute().parents) if place.exists())
    if folder == path and path.is_file():
        folder = path.absolute().parent
    if not folder.is_dir():
        raise DiskError(f"could not write {path}", f"Choose another {option}: {folder} is not a folder")
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise DiskError(f"could not write {path}", f"The file system is read-only: choose another {option}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DiskError(f"could not write {path}", f"Choose another {option}: {folder} is not yours to write")
    _try_to_write(folder, path, option)


def _try_to_write(folder: Path, path: Path, option: str) -> None:
    """Make a file that is gone at once; where only space is lacking, that is told when it is needed."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            message = f"could not write {path}: {error.strerror or error}"
            raise DiskError(message, f"Choose another {option}: {folder} takes no files") from error


def require_space(
    path: Path, needed: int, less: str = "fewer rows (--limit), fewer views, or a smaller --dtype"
) -> None:
    """Refuse to begin when `needed` bytes do not fit on the disk that will hold `path`.

    Args:
        path: What will be written.
        needed: Bytes.
        less: With what it would be smaller.

    Raises:
        DiskError: Too little free space.
    """
    folder = path.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskError(
            f"{path} needs {needed / 1e9:.3g} GB, the disk has {free / 1e9:.3g} GB free",
            f"Free some space, or use {less}",
        )

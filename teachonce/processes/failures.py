"""Every error as one of ours: of memory and of the disk with what to do, and all others as unexpected."""

import errno
from pathlib import Path

from teachonce.errors import DiskError, MemoryFullError, TeachonceError, UnexpectedError, is_out_of_memory
from teachonce.fsio import disk_errors

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


def as_ours(error: BaseException) -> TeachonceError:
    """The error itself where it is ours, else one that says the same in one line, with a hint."""
    if isinstance(error, TeachonceError):
        return error
    if isinstance(error, OSError) and error.errno in _DISK:
        return _as_disk_error(error)
    if isinstance(error, MemoryError):
        return MemoryFullError("out of memory", "use a smaller --batch-size or --limit")
    if is_out_of_memory(error):
        return MemoryFullError("the device is out of memory", "use a smaller --batch-size")
    text = f": {error}" if str(error).strip() else ""
    return UnexpectedError(f"unexpected {type(error).__name__}{text}", "run it again with --debug for the traceback")


def _as_disk_error(error: OSError) -> DiskError:
    try:
        with disk_errors(Path(str(error.filename or "a file"))):
            raise error
    except DiskError as disk:
        return disk

"""The shape of an error: one line of what was expected and got, one line with a hint; or the same as JSON."""

import errno
from pathlib import Path

from teachonce.errors import DiskError, TeachonceError, is_out_of_memory
from teachonce.fsio import disk_errors
from teachonce.texts import printable

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
_INTERRUPTED = {"kind": "interrupted", "message": "interrupted"}
_CONTINUES = "run the same command again: it continues from what was kept"
AFRESH = "run the same command again: it starts from the beginning"
"""The hint after an interrupt of a command that keeps nothing; the argument of its KeyboardInterrupt."""


def describe_error(error: BaseException) -> dict[str, str]:
    """What is told of an error: `kind` (a stable word), `message` and `mend` (one line each, `mend` may be empty)."""
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED | {"mend": str(error) or _CONTINUES}
    if isinstance(error, TeachonceError):
        return {"kind": error.kind, "message": error.message, "mend": error.mend}
    if isinstance(error, OSError) and error.errno in _DISK:
        return describe_error(_as_disk_error(error))
    if isinstance(error, MemoryError):
        return {"kind": "memory", "message": "out of memory", "mend": "use a smaller --batch-size or --limit"}
    if is_out_of_memory(error):
        return {"kind": "memory", "message": "the device is out of memory", "mend": "use a smaller --batch-size"}
    text = " ".join(str(error).split())
    message = f"unexpected {type(error).__name__}" + (f": {text}" if text else "")
    return {"kind": "unexpected", "message": message, "mend": "run it again with --debug for the traceback"}


def _as_disk_error(error: OSError) -> DiskError:
    try:
        with disk_errors(Path(str(error.filename or "a file"))):
            raise error
    except DiskError as disk:
        return disk


def error_text(error: BaseException) -> str:
    """`error: ...`, and `hint: ...` on a second line where there is one."""
    told = describe_error(error)
    return printable(f"error: {told['message']}" + (f"\nhint: {told['mend']}" if told["mend"] else ""))

"""The shape of an error: one line of what was expected and got, one line with a hint; or the same as JSON."""

from teachonce.processes.failures import as_ours
from teachonce.texts import printable

_INTERRUPTED = {"kind": "interrupted", "message": "interrupted"}
_CONTINUES = "run the same command again: it continues from what was kept"
AFRESH = "run the same command again: it starts from the beginning"
"""The hint after an interrupt of a command that keeps nothing; the argument of its KeyboardInterrupt."""


def describe_error(error: BaseException) -> dict[str, str]:
    """What is told of an error: `kind` (a stable word), `message` and `mend` (one line each, `mend` may be empty)."""
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED | {"mend": str(error) or _CONTINUES}
    ours = as_ours(error)
    return {"kind": ours.kind, "message": ours.message, "mend": ours.mend}


def error_text(error: BaseException) -> str:
    """`error: ...`, and `hint: ...` on a second line where there is one."""
    told = describe_error(error)
    return printable(f"error: {told['message']}" + (f"\nhint: {told['mend']}" if told["mend"] else ""))

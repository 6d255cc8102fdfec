"""Work in a forked child: what it gave or raised, how it ended, and an end to it where it hangs."""

import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from teachonce.errors import TeachonceError

HANGS = 120.0
"""Seconds after which a child is taken to hang."""


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    status: int
    """0: its work was done; negative: the signal that ended it."""
    value: Any = None
    """What the work returned, as JSON."""
    kind: str = ""
    """Of the TeachonceError that it raised; the name of any other exception."""
    message: str = ""
    hung: bool = False
    """It was killed because it took too long."""

    @property
    def done(self) -> bool:
        return self.status == 0 and not self.kind

    def must(self) -> Any:
        """Its value; an AssertionError where it has none."""
        assert self.done, f"a child ended with {self.status}: {self.kind}: {self.message}"
        return self.value


class Child:
    """Work that a forked process does."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._reading, writing = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._reading)
            _work(work, writing)
        os.close(writing)

    def wait(self, *, kill_after: float | None = None, seconds: float = HANGS) -> Ended:
        """How it ended; see `forked`."""
        data, whole = _read(self._reading, seconds if kill_after is None else kill_after)
        os.close(self._reading)
        if not whole:
            os.kill(self._pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        message = json.loads(data) if whole and data else {}
        return Ended(status=status, hung=not whole and kill_after is None, **message)


def forked(work: Callable[[], Any], *, kill_after: float | None = None, seconds: float = HANGS) -> Ended:
    """Do work in a child.

    Args:
        work: Its value has to be JSON.
        kill_after: Seconds after which the child is killed in the middle of it.
        seconds: After which it hangs.
    """
    return Child(work).wait(kill_after=kill_after, seconds=seconds)


def _read(descriptor: int, seconds: float) -> tuple[bytes, bool]:
    """All that comes until the other end is closed, and whether it was."""
    data, end = b"", time.monotonic() + seconds
    while select.select([descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(descriptor, 1 << 16)
        if not part:
            return data, True
        data += part
    return data, False


def _work(work: Callable[[], Any], writing: int) -> None:
    """The child's part; it never returns."""
    status = 1
    try:
        message = _message(work)
        status = 1 if "kind" in message else 0
        with os.fdopen(os.dup(writing), "w") as file:
            json.dump(message, file)
    finally:
        os._exit(status)


def _message(work: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"value": work()}
    except TeachonceError as error:
        return {"kind": error.kind, "message": str(error)}
    except BaseException as error:  # noqa: BLE001 - a child must not run on as its parent
        if "PYTHONFAULTHANDLER" in os.environ:
            traceback.print_exc(file=sys.stderr)
        return {"kind": type(error).__name__, "message": f"{error} ({_place(error)})"}


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}"

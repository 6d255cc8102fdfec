"""What the tests' processes do."""

import ctypes
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from teachonce import errors
from teachonce.events import Events
from teachonce.heap import keeps_freed


class Counter:
    """It remembers."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, events: Events, amount: int) -> int:
        self.count += amount
        return self.count


def do(events: Events, what: str, *given: Any) -> Any:
    """One of the functions below."""
    return globals()[what](events, *given)


def echo(events: Events, value: Any) -> Any:
    return value


def chat(events: Events, lines: list[str]) -> int:
    """It also prints and warns, as libraries do."""
    for line in lines:
        print(line)  # noqa: T201
    warnings.warn("a library warns", stacklevel=1)
    os.write(1, b"of C\n")
    return len(lines)


def progress(events: Events, total: int) -> None:
    with events.task("outer", total=1), events.task("inner", total=total, done=2, unit="steps") as inner:
        for number in range(2, total):
            inner.advance()
            inner.note(f"loss {number}")
    events.info("between")
    events.warn("odd")
    with events.task("next", total=1) as task:
        task.advance()


def epochs(events: Events, count: int) -> list[str]:
    """What becomes of each epoch that is told."""
    ends: list[str] = []
    for number in range(count):
        try:
            events.epoch({"epoch": number})
        except LookupError as error:
            return [*ends, f"ended by {error.args[0]}"]
        ends.append("told")
    return ends


def fail(events: Events, kind: str) -> None:
    known = {"MemoryError": MemoryError(), "OSError": OSError(28, "No space left on device", "/x/y")}
    made: Any = getattr(errors, kind, LookupError)
    raise known.get(kind) or made("no such thing", "make it")


def unpicklable(events: Events) -> Callable[[], None]:
    return lambda: None


def kill(events: Events, number: int, said: str = "") -> None:
    os.write(2, said.encode())
    os.kill(os.getpid(), number)
    threading.Event().wait()


def leave(events: Events, code: int, said: str) -> None:
    os.write(2, said.encode())
    sys.exit(code)


def hang(events: Events, place: Path, deaf: bool, helper: bool = False) -> None:
    """Wait for ever, in C; with SIGTERM it writes what came of it."""
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    helping = os.fork() if helper else 1
    if not helping:
        time.sleep(1000)
    try:
        place.with_suffix(".pid").write_text(f"{os.getpid()} {helping}")
        threading.Event().wait()
    except KeyboardInterrupt:
        place.write_text("interrupted")
        raise


def stuck(events: Events) -> None:
    """A C function that holds Python's lock, as a compiler might."""
    events.info("stuck")
    ctypes.PyDLL(None).sleep(1000)


def state(events: Events) -> Mapping[str, Any]:
    import gc

    told = {"group": os.getpgrp() == os.getpid(), "kept": keeps_freed(), "frozen": gc.get_freeze_count() > 0}
    return told | {"path": sys.path, "variable": os.environ.get("TEACHONCE_TEST")}


def inherited(events: Events) -> tuple[bool, float]:
    """Whether a module is there that this program does not import, and a number of NumPy's global generator."""
    return "colorsys" in sys.modules, float(np.random.random())


def array(events: Events, size: int) -> np.ndarray:
    return np.arange(size, dtype=np.uint8)

"""What each program of ours does once: signals interrupt it, imports collect no garbage, and at its end it leaves."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOOK = 0.02  # seconds between two looks whether an exception would be lost


@contextmanager
def handlers(handler: Callable[[int, FrameType | None], Any], *numbers: signal.Signals) -> Iterator[None]:
    """Signals are handled by `handler` inside; outside of the main thread, where Python allows none, as before."""
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for number in numbers:
                stack.callback(signal.signal, number, signal.signal(number, handler))
        yield


@contextmanager
def interrupts() -> Iterator[list[int]]:
    """Ctrl-C, a batch system's SIGTERM and a closed terminal raise KeyboardInterrupt; yields those that came.

    They are remembered, since C code on the way may make another error of it. The first one waits for the end of an
    import: C++ modules abort the process where an exception comes through their initialisation.
    """
    seen: list[int] = []
    owner = os.getpid()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner and number == signal.SIGTERM:  # a forked helper that is being ended
            die(number)
            return
        is_first = not seen
        if number != signal.SIGALRM:
            seen.append(number)
        if (is_first or number == signal.SIGALRM) and _is_lost(frame):
            signal.setitimer(signal.ITIMER_REAL, _LOOK)
        else:
            raise KeyboardInterrupt

    with handlers(interrupt, signal.SIGALRM, *(number for number in ENDS if not _ignored(number))):
        try:
            yield seen
        finally:
            heard()


def _is_lost(frame: FrameType | None) -> bool:
    """Whether an exception would come through an import, or from a finaliser, of which Python ignores it."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib") or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def _ignored(number: signal.Signals) -> bool:
    """Whether whoever started us wants us to outlive the terminal (nohup)."""
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN


@contextmanager
def importing(*, own: bool = False) -> Iterator[None]:
    """Collects no garbage while modules are imported: there is little, and to look for it takes a tenth of the time.

    Args:
        own: The process runs one command of ours: later collections do not look at what is there by then.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if own:
            gc.freeze()
        if enabled:
            gc.enable()


def leave() -> None:
    """This process's command is over: nothing is left to be told of Ctrl-C, and its memory goes without being sorted.

    From here on Ctrl-C ends the process at once and without a word. What refers to itself is not collected: after an
    `import torch` that takes a fifth of the import's time.
    """
    gc.freeze()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def heard() -> None:
    """The interrupt that waits, if any, is not raised any more: an error that came before it is told in its place."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def deaf() -> None:
    """From now on no signal interrupts this process, which is about to end."""
    heard()
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)


def stands_for(words: Sequence[str]) -> None:
    """This process does what a command line does, and what it writes records that command line, not its own.

    Args:
        words: Those after `teachonce`.
    """
    sys.argv = ["teachonce", *words]


def die(number: int) -> None:
    """End this process by a signal that it has a handler for."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)

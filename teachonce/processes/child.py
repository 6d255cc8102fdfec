"""The program of every process that we start: it answers one request after another, and ends with its parent."""

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from teachonce.errors import UnexpectedError
from teachonce.heap import keep_freed
from teachonce.processes.command import ENDS, deaf, importing, interrupts, leave
from teachonce.processes.failures import as_ours
from teachonce.processes.messages import Sender

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Answer what the parent asks: the words of our command line are a descriptor, its process, `module:function`."""
    descriptor, parent, target = sys.argv[1:]
    end_with(int(parent))
    answer(int(descriptor), target)


def answer(descriptor: int, target: str) -> None:
    """Answer what the parent asks until it hangs up.

    Args:
        descriptor: Of the pipe, whose other end the parent has.
        target: `module:function` or `module:Class`.
    """
    with suppress(OSError):
        os.dup2(2, 1)  # what libraries print is no result of anybody's
    keep_freed()
    try:
        with interrupts() as seen, Connection(descriptor) as pipe:
            try:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)  # a template blocks them
                _serve(pipe, _loaded(target, seen), seen)
            except KeyboardInterrupt:
                deaf()  # our parent may end us as well
                with suppress(OSError):
                    pipe.send(("interrupted", ()))
                sys.exit(128 + (seen[0] if seen else signal.SIGINT))
    finally:
        leave()


def end_with(parent: int) -> None:
    """From now on this process ends with its parent, whatever it is at, where that is Linux's to see to.

    Elsewhere it ends when it next wants to tell it something, or to be asked.

    Args:
        parent: The process that started us; on Linux the thread that did so must live as long.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we could ask
            sys.exit(1)


def _loaded(target: str, seen: Sequence[int]) -> Callable[..., object]:
    """What answers requests; where it cannot be imported, what says so."""
    module, _, name = target.partition(":")
    try:
        with importing(own=True):
            found = getattr(import_module(module), name)
            work: Callable[..., object] = found() if isinstance(found, type) else found
    except Exception as error:
        if seen:  # C code may make another error of an interrupt
            raise KeyboardInterrupt from error
        return partial(_refuse, error)
    return work


def _refuse(error: Exception, *request: object) -> NoReturn:
    raise error


def _serve(pipe: "Connection[Any, Any]", work: Callable[..., object], seen: Sequence[int]) -> None:
    """Answer until the parent hangs up."""
    sender = Sender(pipe)
    with suppress(EOFError, ConnectionError):
        while True:
            request = pipe.recv()
            try:
                sender.send("result", work(sender, *request))
            except Exception as error:
                if seen:
                    raise KeyboardInterrupt from error
                ours = as_ours(error)
                trace = traceback.format_exc() if isinstance(ours, UnexpectedError) else None
                sender.send("error", ours, trace)


if __name__ == "__main__":
    main()

"""Programs of our own package in processes of their own: we talk to them over a pipe, and none of them outlives us."""

import ctypes
import os
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import IO, Any

from teachonce.processes import environment, program

Process = subprocess.Popen
_LOOK = 1.0  # seconds between two looks whether the process is still there
_PATIENCE = 20.0  # seconds until a process that hung up has ended
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def start(module: str, said: IO[bytes] | int) -> tuple["Process[bytes]", "Connection[Any, Any]"]:
    """Start a module as a program, neither forked nor spawned: no lock is inherited, no `__main__` imported again.

    It is in a process group of its own, so that Ctrl-C reaches it once, through us.

    Args:
        module: Its main function calls `served`.
        said: Where its stderr goes.

    Returns:
        The process, and our end of its pipe. The thread that calls this must live as long as the process may: on Linux
        the process ends with it.
    """
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(
            program(module, str(theirs.fileno()), str(os.getpid())),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            pass_fds=(theirs.fileno(),),
            env=environment(),
            process_group=0,
        )
    return process, ours


def served() -> "Connection[Any, Any]":
    """The process's own end of the pipe; from now on it ends with its parent, whatever it is at.

    Linux sees to that. Elsewhere it ends when it next wants to answer, and finds nobody.
    """
    descriptor, parent = map(int, sys.argv[1:])
    end_with(parent)
    return Connection(descriptor)


def end_with(parent: int) -> None:
    """From now on this process ends with its parent, where that is Linux's to see to.

    Args:
        parent: Who started us.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we could ask
            sys.exit(1)


def received(pipe: "Connection[Any, Any]", process: "Process[bytes]") -> Any:
    """The next message. A helper that outlives the process keeps the pipe open, so the process itself is looked at.

    Raises:
        EOFError: It has ended, or hung up.
    """
    while not pipe.poll(_LOOK):
        if process.poll() is not None and not pipe.poll(0):
            raise EOFError
    return pipe.recv()


def end(process: "Process[bytes]") -> None:
    """End it and its helpers, where it has not ended by itself: its group has its number until we have waited."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def how_it_ended(process: "Process[bytes]") -> str:
    """`by signal 9`, or `with code 3`; it has hung up, and is waited for some time."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE)
    code = process.poll()
    return f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"

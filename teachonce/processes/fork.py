"""The program of a `Template`: it imports what several processes need, then forks them."""

import gc
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from teachonce.processes.child import answer, end_with
from teachonce.processes.command import ENDS, importing, leave

LONGEST = 4096  # bytes of a request


def main() -> None:
    """Import the modules that are named, then do what the parent asks for, until it hangs up.

    A request is a target, with two descriptors, of a pipe and of stderr: a process is forked, the answer is its number,
    or 0. Or it is the number of a process that has ended: the answer is its exit code.
    """
    descriptor, parent, *modules = sys.argv[1:]
    end_with(int(parent))
    # Ours reach a process that was forked by its number; a batch system's reach all, and it may have much to keep.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    with importing():
        for module in modules:
            with suppress(Exception):  # the process that needs it raises it
                import_module(module)
    gc.freeze()  # a collection would write to every object, and so copy its page
    with socket.socket(fileno=int(descriptor)) as ours:
        while True:
            request, descriptors, _, _ = socket.recv_fds(ours, LONGEST, 2)
            if not request:
                break
            text = request.decode()
            told = _exit_code(int(text)) if text.isdecimal() else _fork(ours, text, descriptors)
            ours.send(str(told).encode())
    leave()


def _fork(ours: socket.socket, target: str, descriptors: Sequence[int]) -> int:
    """The number of the new process, which does not return from here; 0 where there can be none."""
    parent = os.getpid()
    try:
        number = os.fork() if len(descriptors) == 2 else None  # some are lost where this process may have no more
    except OSError:
        number = None
    if number == 0:
        pipe, stderr = descriptors
        os.setpgid(0, 0)
        end_with(parent)
        ours.close()
        os.dup2(stderr, 2)
        os.close(stderr)
        _reseed()
        answer(pipe, target)
        sys.exit()
    for descriptor in descriptors:
        os.close(descriptor)
    if number is None:
        return 0
    with suppress(OSError):  # whoever is first: it may be signalled as soon as its number is known
        os.setpgid(number, number)
    return number


def _reseed() -> None:
    """NumPy's global generator, if a factory of the user draws from it, is not the same in every process."""
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()


def _exit_code(number: int) -> int:
    try:
        return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
    except ChildProcessError:  # asked twice: the first answer was not waited for
        return -signal.SIGKILL


if __name__ == "__main__":
    main()

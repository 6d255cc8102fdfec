"""Processes that start with their imports done: they are forked from one that is kept for this."""

import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from teachonce.processes.program import start_program

_GPUS = (Path("/dev/nvidiactl"), Path("/dev/kfd"), Path("/dev/dxg"))
_LOOK = 0.1  # seconds between two looks whether we are ending


def _can_fork() -> bool:
    """Whether there is all that a template needs."""
    if sys.platform != "linux" or any(place.exists() for place in _GPUS):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):  # an old kernel, a Python that was built on one, or a sandbox
        return False
    return True


class Template:
    """A process that imports modules once and is forked; a context manager that ends it, after its processes.

    It starts with the first fork and ends when we do, as its processes do. The thread of the first fork must live as
    long. It is used on Linux where no GPU is: a driver's state cannot be forked, and `import torch` is a smaller part
    of what is done there. Elsewhere `fork` returns None.

    Args:
        modules: Modules of ours or of libraries; those of users are imported by the processes that need them.
        environment: Variables on top of ours, of the template and of its processes.

    Attributes:
        is_usable: Whether a process can be forked.
    """

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self.environment = dict(environment or {})
        self._modules, self._guard = modules, threading.Lock()
        self._ours: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ending = False
        self.is_usable = _can_fork()

    def fork(self, target: str, pipe: "Connection[Any, Any]", log: IO[bytes] | None) -> "Forked | None":
        """A new process that answers what comes by a pipe; None where one has to be started in another way.

        Args:
            target: See `Process`.
            pipe: Its end of the pipe.
            log: Its stderr; None: ours.
        """
        number = self.ask(target, pipe.fileno(), 2 if log is None else log.fileno()) if self.is_usable else None
        if not number:  # 0: it could not fork
            return None
        try:
            return Forked(number, self)
        except OSError:  # there are no more descriptors
            os.kill(number, signal.SIGKILL)
            self.ask(str(number))
            return None

    def abandon(self) -> None:
        """Whoever waits for the template's imports does not wait any longer; of another thread."""
        self._is_ending = True

    def ask(self, request: str, *descriptors: int) -> int | None:
        """Send a request of `fork.main`; None where the template is lost."""
        with self._guard:
            try:
                ours = self._ours or self._started()
                socket.send_fds(ours, [request.encode()], descriptors)
                while not wait([ours], _LOOK) and not self._is_ending:
                    pass
                answer = ours.recv(32) if wait([ours], 0) else b""
            except OSError:
                answer = b""
            self.is_usable = bool(answer)
            return int(answer) if answer else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._guard:
            self.is_usable = False
            if self._ours is not None:
                self._ours.close()
            if self._process is not None:
                self._process.kill()  # it may be importing
                self._process.wait()

    def _started(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours = ours
        with theirs:
            self._process = start_program(
                "fork", theirs.fileno(), *self._modules, environment=self.environment, log=None
            )
        return ours


class Forked:
    """A process of a template: what `subprocess.Popen` is of one that we start."""

    def __init__(self, pid: int, template: Template) -> None:
        self.pid, self._template = pid, template
        self._code: int | None = None
        self._guard = threading.Lock()
        self._ended = os.pidfd_open(pid)  # the template does not wait for it before we ask for its code
        weakref.finalize(self, os.close, self._ended)

    def poll(self) -> int | None:
        """Its exit code; None as long as it is there."""
        with self._guard:
            if self._code is None and wait([self._ended], 0):
                code = self._template.ask(str(self.pid))
                self._code = -signal.SIGKILL if code is None else code
            return self._code

    def wait(self, seconds: float) -> None:
        """Wait until it has ended.

        Raises:
            subprocess.TimeoutExpired: It has not.
        """
        if not wait([self._ended], seconds):
            raise subprocess.TimeoutExpired(str(self.pid), seconds)

"""The parent's end of a process: it is started, asked, and ended; and it never outlives us."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from types import TracebackType
from typing import IO, Any, Self

from teachonce.errors import ProcessEndedError, TeachonceError
from teachonce.events import SILENT, Events
from teachonce.processes.messages import Receiver
from teachonce.processes.program import start_program, take_standard
from teachonce.processes.template import Template

PATIENCE = (30.0, 10.0)  # seconds that a process has to end after SIGTERM, SIGKILL
_LOOK = 1.0  # seconds between two looks whether the process is still there
_FULL = "If the memory was full, use a smaller batch size; the system's log says why it was killed"


class Process:
    """A program of its own that answers requests; a context manager that ends it.

    It is neither forked nor spawned by multiprocessing: no lock is inherited, no `__main__` imported again. It finds
    the modules that we find, and no others. It is in a process group of its own, so that Ctrl-C reaches it once,
    through us, as SIGTERM, which raises KeyboardInterrupt in it. It ends when we do, however that happens.

    One thread asks it at a time; the thread that makes it must live as long: on Linux the process ends with it.

    Args:
        target: `module:function`, called with the process's Events and a request, or `module:Class`, whose one instance
            is called so. It and all requests and results can be pickled.
        name: Goes before the messages of its errors.
        log: Where its stdout and stderr go: a file or `subprocess.DEVNULL`; None: to our stderr.
        environment: Variables on top of ours.
        template: What it is forked from, where that can be; with the template's environment.
        mend: What to do where it is killed.
    """

    def __init__(
        self,
        target: str,
        *,
        name: str = "",
        log: IO[bytes] | int | None = None,
        environment: Mapping[str, str] | None = None,
        template: Template | None = None,
        mend: str = _FULL,
    ) -> None:
        self._named, self._log, self._mend = name and f"{name}: ", log, mend
        self._signals: set[int] = set()
        take_standard()
        self._pipe, theirs = Pipe()
        with theirs:
            forked = None if template is None or isinstance(log, int) else template.fork(target, theirs, log)
            variables = {} if template is None else template.environment
            self._process = forked or start_program(
                "child", theirs.fileno(), target, log=log, environment={**variables, **(environment or {})}
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def ask(self, *request: object, events: Events = SILENT) -> Any:
        """Send a request and wait for its result.

        Args:
            request: The arguments of the target, behind its events.
            events: Show the process's events. An exception that `epoch` raises is raised in the process.

        Raises:
            ProcessEndedError: It was killed, or it left.
            TeachonceError: What it raised, as the class that it was; MemoryFullError and UnexpectedError for others'.
            KeyboardInterrupt: It was interrupted, or we are ending it.
        """
        self._send(request)
        with Receiver(events) as receiver:
            while True:
                kind, values = self._received()
                if kind == "result":
                    return values[0]
                if kind == "error":
                    raise self._raised(*values)
                if kind == "interrupted":
                    raise KeyboardInterrupt
                if kind == "epoch":
                    self._send(_told(events, *values))
                else:
                    receiver.show(kind, *values)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self, *, at_once: bool = False) -> None:
        """End it and wait until it has.

        Args:
            at_once: Kill it, with its helpers: it has nothing to keep.
        """
        end([self], at_once=at_once)
        self._pipe.close()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, each once; SIGKILL to its helpers too, which it cannot end any more."""
        if self._process.poll() is None and number not in self._signals:
            self._signals.add(number)
            with suppress(ProcessLookupError):
                (os.killpg if number == signal.SIGKILL else os.kill)(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; whether it has."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, seconds))
        return self._process.poll() is not None

    def _send(self, value: object) -> None:
        try:
            self._pipe.send(value)
        except OSError as error:
            raise self._ended() from error

    def _received(self) -> Any:
        """The next message. A helper that outlives the process keeps the pipe open, so the process is looked at."""
        try:
            while not self._pipe.poll(_LOOK) and self._process.poll() is None:
                pass
            if self._pipe.poll(0):
                return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error
        raise self._ended()

    def _raised(self, error: TeachonceError, trace: str | None) -> TeachonceError:
        error.message = f"{self._named}{error.message}"
        error.__cause__ = None if trace is None else RuntimeError(trace)
        return error

    def _ended(self) -> BaseException:
        """What became of it."""
        if self._signals:  # by us
            return KeyboardInterrupt()
        self.wait(PATIENCE[1])
        code, said = self._process.poll(), self._last_line()
        how = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
        return ProcessEndedError(f"{self._named}its process ended {how}{said and f': {said}'}", self._mend)

    def _last_line(self) -> str:
        if self._log is None or isinstance(self._log, int):
            return ""
        with suppress(OSError, ValueError):  # closed meanwhile
            self._log.seek(0)
            lines = self._log.read().decode(errors="replace").splitlines()
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""


def end(processes: Sequence[Process], *, at_once: bool = False) -> None:
    """End several together and wait until they have: SIGTERM, on which they keep what they have, then SIGKILL.

    Args:
        processes: Those that have ended are left alone.
        at_once: No SIGTERM.
    """
    for number, seconds in list(zip((signal.SIGTERM, signal.SIGKILL), PATIENCE, strict=True))[at_once:]:
        for process in processes:
            process.send_signal(number)
        until = time.monotonic() + seconds
        for process in processes:
            process.wait(until - time.monotonic())


class Pool:
    """Processes of several threads; a context manager that ends them all together.

    A thread starts its process, not the main one: a signal handler runs in the main thread only, so it cannot come
    between the start of a process and our knowing of it.

    Args:
        template: See `Process`; it ends after them.
    """

    def __init__(self, template: Template | None = None) -> None:
        self._template, self._guard = template, threading.Lock()
        self._ending = False
        self._processes: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending = True  # a process that a thread is about to start is not started any more
        try:
            if self._template is not None:
                self._template.abandon()
            with self._guard:  # one that is being started is known
                pass
            end(self._processes)
        except BaseException:  # such as a second Ctrl-C
            end(self._processes, at_once=True)
            raise

    def start(self, target: str, **given: Any) -> Process:
        """Start one of them.

        Args:
            target: See `Process`.
            given: What else `Process` takes.

        Raises:
            KeyboardInterrupt: All of them are being ended.
        """
        with self._guard:
            if self._ending:
                raise KeyboardInterrupt
            self._processes.append(Process(target, template=self._template, **given))
            return self._processes[-1]

    def run(self, target: str, *request: object, events: Events = SILENT, **given: Any) -> Any:
        """Start a process, ask it once, and end it; see `Process`.

        Args:
            target: See `Process`.
            request: See `Process.ask`.
            events: See `Process.ask`.
            given: What else `Process` takes.

        Raises:
            KeyboardInterrupt: All of them are being ended; or this one was interrupted.
            TeachonceError: See `Process.ask`.
        """
        with self.start(target, **given) as process:
            return process.ask(*request, events=events)


def _told(events: Events, entry: Mapping[str, Any]) -> Exception | None:
    try:
        events.epoch(entry)
    except Exception as error:  # noqa: BLE001 - it ends the training, in the process
        return error
    return None

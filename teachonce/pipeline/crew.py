"""Several children at once: each is started and awaited by a thread, and all of them can be ended together."""

import os
import re
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from subprocess import Popen
from types import TracebackType
from typing import Any, Self

from teachonce.fsio import disk_errors
from teachonce.pipeline.child import PATIENCE, child_result, start_child

Outcome = dict[str, Any] | BaseException


class Crew:
    """Children at work. As a context manager it ends them all where it is left while they run.

    A thread starts its child, not the caller: a signal handler runs in the main thread only, so it cannot come between
    the start of a child and our knowing of it.

    Args:
        logs: Folder of what they say on stderr, a file each; made with the first of them.
        environment: Of each child, on top of ours.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str] | None = None) -> None:
        self._logs, self._environment = logs, environment
        self._guard = threading.Lock()
        self._ending = False
        self._threads: dict[str, threading.Thread] = {}
        self._processes: dict[str, Popen[bytes]] = {}
        self._done: SimpleQueue[tuple[str, Outcome]] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self.end()

    @property
    def names(self) -> list[str]:
        """The steps at work, the oldest first."""
        return list(self._threads)

    def log(self, name: str) -> Path:
        """The file of what a step says."""
        return self._logs / f"{re.sub(r'[^A-Za-z0-9.=+_-]+', '-', name)}.log"

    def start(self, name: str, words: Sequence[str]) -> None:
        """Begin a step.

        Args:
            name: Of the step.
            words: The command line after `teachonce`.
        """
        thread = threading.Thread(target=self._work, args=(name, words), daemon=True)
        self._threads[name] = thread
        thread.start()

    def wait(self) -> tuple[str, Outcome]:
        """Wait for the next step that ends: its name, and its result or its error."""
        name, outcome = self._done.get()
        del self._threads[name]
        return name, outcome

    def end(self) -> None:
        """End all of them and wait until they have: SIGTERM, on which they keep what they have, then SIGKILL."""
        with self._guard:
            self._ending = True  # a child that a thread is about to start is not started any more
        for number, seconds in zip((signal.SIGTERM, signal.SIGKILL), PATIENCE, strict=True):
            self._signal(number)
            until = time.monotonic() + seconds
            for thread in self._threads.values():
                thread.join(max(0.0, until - time.monotonic()))

    def _signal(self, number: signal.Signals) -> None:
        with self._guard:
            for process in self._processes.values():
                if number == signal.SIGKILL:  # its helpers too, which it cannot end any more
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, number)
                else:
                    process.send_signal(number)

    def _work(self, name: str, words: Sequence[str]) -> None:
        try:
            outcome: Outcome = self._result(name, words)
        except BaseException as error:  # noqa: BLE001  (whatever it is, the caller gets it)
            outcome = error
        self._done.put((name, outcome))

    def _result(self, name: str, words: Sequence[str]) -> dict[str, Any]:
        log = self.log(name)
        with disk_errors(log):
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as stderr, self._guard:
                if self._ending:
                    raise KeyboardInterrupt
                process = start_child(words, stderr=stderr, environment=self._environment)
                self._processes[name] = process
        try:
            output, _ = process.communicate()
        finally:
            with self._guard:
                del self._processes[name]
        return child_result(output, process.returncode, name, said=_last_line(log))


def _last_line(log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""

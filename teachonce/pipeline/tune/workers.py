"""The search's end of a worker: a process that trains one trial after another."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from teachonce.errors import TeachonceError
from teachonce.fsio import disk_errors
from teachonce.pipeline.child import PATIENCE
from teachonce.processes import environment, program

_PROGRAM = "teachonce.pipeline.tune.worker"


class TrialError(TeachonceError):
    """A trial that cannot be trained, where others may: out of memory, or its process was lost."""


class Worker:
    """One process, started with its first trial and again where it was lost; used by one thread at a time.

    Args:
        log: The file of what it prints.
        environment: On top of ours.
    """

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        self._log, self._environment = log, environment
        self._guard = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = False

    def train(
        self,
        options: Mapping[str, Any],
        is_enough: Callable[[Mapping[str, Any]], bool],
        warned: Callable[[str], None],
    ) -> bool:
        """Train a trial; see `train_trial`.

        Raises:
            TrialError: Also where the process was lost.
            KeyboardInterrupt: It was ended meanwhile.
        """
        answers: Mapping[str, Callable[[Any], object]] = {"epoch": is_enough, "warning": warned}
        self._start()
        kind, content = self._ask(options)
        while kind in answers:
            kind, content = self._ask(answers[kind](content))
        if self._ending:  # whatever it said last, the interrupt may have made it say so
            raise KeyboardInterrupt
        if isinstance(content, Exception):
            raise content
        return bool(content)

    def end(self, number: int) -> None:
        """Tell it to end; on SIGTERM it keeps its last checkpoint."""
        with self._guard:
            self._ending = True
            if self._process is not None and self._process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; whether it has."""
        process = self._process
        with suppress(subprocess.TimeoutExpired):
            return process is None or process.wait(seconds) is not None
        return False

    def _start(self) -> None:
        with self._guard, disk_errors(self._log):
            if self._ending:
                raise KeyboardInterrupt
            if self._process is not None:
                return
            self._log.parent.mkdir(parents=True, exist_ok=True)
            self._connection, theirs = Pipe()
            with self._log.open("ab") as log, theirs:
                self._process = subprocess.Popen(
                    program(_PROGRAM, str(theirs.fileno())),
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment(self._environment),
                    process_group=0,  # Ctrl-C reaches it through us
                )

    def _ask(self, message: object) -> tuple[str, Any]:
        try:
            self._connection.send(message)
            kind, content = self._connection.recv()
        except (OSError, EOFError):
            return "error", self._lost()
        return kind, content

    def _lost(self) -> TrialError:
        """The process is gone: killed, or out of memory."""
        assert self._process is not None
        self._connection.close()
        code = self._process.wait()
        if not self._ending:
            self._process = None
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        mend = "If the memory was full, use a smaller batch_size or fewer --jobs"
        return TrialError(f"its process ended {how}, see {self._log}", mend)


def end_all(workers: Sequence[Worker]) -> None:
    """End all workers at once, and wait until they have: SIGTERM, then SIGKILL."""
    for number, seconds in zip((signal.SIGTERM, signal.SIGKILL), PATIENCE, strict=True):
        for worker in workers:
            worker.end(number)
        until = time.monotonic() + seconds
        if all(worker.wait(max(0.0, until - time.monotonic())) for worker in workers):
            return

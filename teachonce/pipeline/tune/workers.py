"""The search's end of a worker: a process that trains one trial after another."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from teachonce.fsio import disk_errors
from teachonce.pipeline.child import PATIENCE
from teachonce.processes import environment, program

Message = dict[str, Any]
_PROGRAM = "teachonce.pipeline.tune.worker"


class EndedError(Exception):
    """The worker was told to end."""


class Worker:
    """One process, started with its first trial and again where it was lost; used by one thread at a time.

    Args:
        log: The file of what it says on stderr.
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
    ) -> Message:
        """Train a trial; see `train_trial`. An error that would stop every trial is `{"end": "stopped", ..}`.

        Raises:
            EndedError: It was ended meanwhile.
        """
        process = self._started()
        try:
            self._send(process, dict(options))
            while "end" not in (message := self._receive(process)):
                if "warning" in message:
                    warned(message["warning"])
                else:
                    self._send(process, {"enough": is_enough(message["epoch"])})
        except (OSError, ValueError):
            message = self._lost(process)
        with self._guard:
            if self._ending:  # whatever it said last, the interrupt may have made it say so
                raise EndedError
        return message

    def end(self, number: int = signal.SIGTERM) -> None:
        """Tell it to end; it keeps its last checkpoint."""
        with self._guard:
            self._ending = True
            if self._process is not None and self._process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; whether it has."""
        process = self._process
        try:
            if process is not None:
                process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """End it after its last trial."""
        for number, seconds in zip((signal.SIGTERM, signal.SIGKILL), PATIENCE, strict=True):
            self.end(number)
            if self.wait(seconds):
                break
        if self._process is not None:
            _close_pipes(self._process)

    def _started(self) -> "subprocess.Popen[bytes]":
        with self._guard:
            if self._ending:
                raise EndedError
            if self._process is None:
                with disk_errors(self._log):
                    self._log.parent.mkdir(parents=True, exist_ok=True)
                    with self._log.open("ab") as stderr:
                        self._process = self._start(stderr)
            return self._process

    def _start(self, stderr: Any) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            program(_PROGRAM),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment(self._environment),
            process_group=0,  # Ctrl-C reaches it through us
        )

    def _send(self, process: "subprocess.Popen[bytes]", message: Message) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()

    def _receive(self, process: "subprocess.Popen[bytes]") -> Message:
        assert process.stdout is not None
        message: Message = json.loads(process.stdout.readline())  # nothing to read is no JSON
        return message

    def _lost(self, process: "subprocess.Popen[bytes]") -> Message:
        """The process is gone: killed, or out of memory."""
        _close_pipes(process)
        code = process.wait()
        with self._guard:
            if not self._ending:
                self._process = None
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        mend = "If the memory was full, use a smaller batch_size or fewer --jobs"
        return {"end": "failed", "kind": "lost", "message": f"its process ended {how}, see {self._log}", "mend": mend}


def _close_pipes(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()

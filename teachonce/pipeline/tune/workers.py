"""The search's end of a worker: a process that trains one trial after another."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teachonce.errors import ProcessEndedError
from teachonce.events import Events
from teachonce.fsio import disk_errors
from teachonce.processes.process import Pool, Process

PLACE = "teachonce.pipeline.tune.worker:Trainer"
_FULL = "If the memory was full, use a smaller batch_size or fewer --jobs"


class PrunedError(Exception):
    """The search does not want more epochs of this training."""


class Worker:
    """One process, started with its first trial and again where it was lost; used by one thread at a time.

    Args:
        pool: Of all workers; it ends them.
        log: The file of what it prints.
        environment: On top of ours.
    """

    def __init__(self, pool: Pool, log: Path, environment: Mapping[str, str]) -> None:
        self._pool, self._log, self._environment = pool, log, environment
        self._process: Process | None = None

    def train(self, options: Mapping[str, Any], events: Events) -> bool:
        """Train a trial; see `train_trial`.

        Raises:
            ProcessEndedError: The process was lost.
            KeyboardInterrupt: The pool is being ended.
        """
        self._process = self._process or self._started()
        try:
            return bool(self._process.ask(options, events=events))
        except ProcessEndedError as error:
            self._process = None
            error.message += f", see {self._log}"
            raise

    def _started(self) -> Process:
        with disk_errors(self._log):
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("ab") as log:
                return self._pool.start(PLACE, log=log, environment=self._environment, mend=_FULL)

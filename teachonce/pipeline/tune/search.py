"""Works on the trials of all variants with several workers at once. One process writes the journal: this one."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from optuna.trial import TrialState

from teachonce.events import Events, Task
from teachonce.models.trust import factory_environment
from teachonce.pipeline.child import PATIENCE, revived
from teachonce.pipeline.threads import cores
from teachonce.pipeline.tune.study import Running, Search
from teachonce.pipeline.tune.texts import ended_text, value_text, values_text
from teachonce.pipeline.tune.workers import EndedError, Worker

_NOT_KEPT = ("checkpoints", "best")


def search_all(searches: Sequence[Search], events: Events, *, jobs: int, threads: int | None, logs: Path) -> None:
    """Work until every search has all its trials.

    Args:
        searches: One a variant.
        events: Who watches.
        jobs: Trials at once.
        threads: CPU threads of each; None: all cores, or with several jobs a fair share of them.
        logs: Folder of what the workers say.

    Raises:
        TeachonceError: What stops every trial; those at work go on with the next call.
        KeyboardInterrupt: The workers have ended; the same call goes on.
    """
    total, done = (sum(len(trials) for trials in each) for each in (_all(searches), [s.over for s in searches]))
    environment = _environment(jobs, threads) | factory_environment()
    with events.task("tune", total=total, done=done, unit="trials") as task:
        _Course(searches, events, task, [Worker(logs / f"worker-{n}.log", environment) for n in range(jobs)]).run()


def _all(searches: Sequence[Search]) -> list[range]:
    return [range(search.tune.trials) for search in searches]


def _environment(jobs: int, threads: int | None) -> dict[str, str]:
    if jobs == 1 or (threads is None and "OMP_NUM_THREADS" in os.environ):
        return {}
    return {"OMP_NUM_THREADS": str(threads or max(1, cores() // jobs))}


class _Course:
    """The course of a search; whatever touches the journal or the console holds the guard."""

    def __init__(self, searches: Sequence[Search], events: Events, task: Task, workers: Sequence[Worker]) -> None:
        self._searches, self._events, self._task, self._workers = searches, events, task, workers
        self._guard = threading.Lock()
        self._warned: set[str] = set()

    def run(self) -> None:
        for search in self._searches:
            _tidy(search)
        with ThreadPoolExecutor(len(self._workers), thread_name_prefix="tune") as pool:
            futures = [pool.submit(self._work, worker) for worker in self._workers]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                self._end(futures)
        for future in futures:
            future.result()

    def _end(self, futures: Sequence[Future[None]]) -> None:
        """All workers at once: those that have no more to do, and where something went wrong those at work."""
        for number, seconds in zip((signal.SIGTERM, signal.SIGKILL), PATIENCE, strict=True):
            for worker in self._workers:
                worker.end(number)
            until = time.monotonic() + seconds
            if all(worker.wait(max(0.0, until - time.monotonic())) for worker in self._workers):
                break
        wait(futures)
        for worker in self._workers:
            worker.close()

    def _work(self, worker: Worker) -> None:
        while True:
            with self._guard:
                search, running = self._next()
            if running is None:
                return
            try:
                self._train(worker, search, running)
            except EndedError:
                return

    def _next(self) -> tuple[Search, Running | None]:
        for search in self._searches:
            running = search.next()
            if running is not None:
                name = f"{search.variant.name} trial {running.number}"
                self._events.info(f"{name} begins: {values_text(running.values)}")
                return search, running
        return self._searches[-1], None

    def _train(self, worker: Worker, search: Search, running: Running) -> None:
        def is_enough(entry: Mapping[str, Any]) -> bool:
            with self._guard:
                return search.report(running, entry)

        end = worker.train(running.step.options, is_enough, self._warn)
        if end["end"] == "stopped":
            raise revived(end, f"{search.variant.name} trial {running.number}")
        with self._guard:
            failed = end["message"] if end["end"] == "failed" else None
            search.finish(running, pruned=end["end"] == "pruned", error=failed)
            self._tell(search, running)

    def _tell(self, search: Search, running: Running) -> None:
        trial = next(trial for trial in search.trials if trial.number == running.number)
        tell = self._events.warn if trial.state == TrialState.FAIL else self._events.info
        tell(ended_text(search, trial))
        _tidy(search)
        best = search.best()
        if best is not None and best.value is not None:
            self._task.note(f"{search.variant.name}: best {value_text(search.tune.metric, best.value)}")
        self._task.advance()

    def _warn(self, text: str) -> None:
        with self._guard:
            if text not in self._warned:
                self._warned.add(text)
                self._events.warn(text)


def _tidy(search: Search) -> None:
    """Remove the weights of trials that are over, but the student of the best; metrics and settings stay."""
    best = search.best()
    for trial in search.over:
        kept = ("best",) if best is not None and trial.number == best.number else ()
        for name in _NOT_KEPT:
            if name not in kept:
                shutil.rmtree(search.run(trial.number) / name, ignore_errors=True)

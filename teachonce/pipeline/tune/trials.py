"""Trains the trials of all variants, several at once. One process writes the journal: this one."""

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from teachonce.errors import MemoryFullError, NonFiniteError, ProcessEndedError, TeachonceError, UnexpectedError
from teachonce.events import Events, Silent, Task, WarnOnce
from teachonce.models.trust import factory_environment
from teachonce.pipeline.threads import share
from teachonce.pipeline.tune.search import Search
from teachonce.pipeline.tune.space import trial_step
from teachonce.pipeline.tune.workers import PrunedError, Worker
from teachonce.processes.process import Pool
from teachonce.texts import score_text, settings_text

_FAILURES = (NonFiniteError, MemoryFullError, UnexpectedError, ProcessEndedError)


class StoppedError(BaseException):
    """The search ends with a trial at work. No Exception: Optuna leaves the trial as it is, and the next call goes on.

    Attributes:
        reason: What the search ends with.
    """

    def __init__(self, reason: BaseException) -> None:
        super().__init__()
        self.reason = reason


def search_all(searches: Sequence[Search], events: Events, *, jobs: int, threads: int | None, logs: Path) -> None:
    """Work until every search has all its trials.

    Args:
        searches: One a variant, open.
        events: Who watches.
        jobs: Trials at once.
        threads: CPU threads of each; None: all cores, or with several jobs a fair share of them.
        logs: Folder of what the workers say.

    Raises:
        TeachonceError: What stops every trial; those at work go on with the next call.
        KeyboardInterrupt: The workers have ended; the same call goes on.
    """
    environment = share(jobs, threads) | factory_environment()
    total, left = sum(search.tune.trials for search in searches), sum(len(search.left) for search in searches)
    with (
        events.task("tune", total=total, done=total - left, unit="trials") as task,
        ThreadPoolExecutor(jobs, thread_name_prefix="tune") as executor,
        Pool() as pool,
    ):
        workers = [Worker(pool, logs / f"worker-{number}.log", environment) for number in range(jobs)]
        trials = _Trials(workers, events, task)
        try:
            # All variants in one queue: at the end of one, no job waits for the others.
            todo = [(search, number) for search in searches for number in search.left]
            for done in as_completed([executor.submit(trials.optimize, *each) for each in todo]):
                done.result()
        except StoppedError as stopped:
            raise stopped.reason from stopped
        finally:
            trials.is_over = True


class _Trials:
    """Trains one trial after another; called by several threads, of which one at a time tells of its own.

    Attributes:
        is_over: No trial is begun any more.
    """

    def __init__(self, workers: Sequence[Worker], events: Events, task: Task) -> None:
        self._events, self._task = WarnOnce(events), task
        self.is_over = False
        self._guard = threading.Lock()
        self._free: SimpleQueue[Worker] = SimpleQueue()
        for worker in workers:
            self._free.put(worker)

    def optimize(self, search: Search, number: int) -> None:
        """Train the next trial of a search."""
        if self.is_over:
            return
        worker = self._free.get()
        try:
            search.study(number).optimize(
                lambda trial: self._value(search, worker, trial),
                n_trials=1,
                catch=_FAILURES,
                callbacks=[lambda _, trial: self._ended(search, trial)],
            )
        except BaseException:
            self.is_over = True
            raise
        finally:
            self._free.put(worker)

    def _value(self, search: Search, worker: Worker, trial: optuna.Trial) -> float:
        """Optuna's objective: the metric of the trial's best epoch.

        Epochs that were reported before a kill come again, and Optuna leaves them as they are.
        """
        name, values = _name(search, trial), search.space.suggest(trial)
        self._tell(self._events.info, f"{name} begins: {settings_text(values)}")
        reported: list[float] = []

        def report(entry: Mapping[str, Any]) -> None:
            reported.append(float(entry[search.tune.metric]))
            trial.report(reported[-1], entry["epoch"])
            if entry["epoch"] < search.epochs and trial.should_prune():
                raise PrunedError

        options = trial_step(search.step, values, search.run(trial.number)).options
        try:
            if not worker.train(options, _Heard(report, lambda text: self._tell(self._events.warn, text))):
                raise optuna.TrialPruned
        except _FAILURES as error:
            trial.set_user_attr("error", error.message)
            raise
        except TeachonceError as error:
            raise StoppedError(type(error)(f"{name}: {error.message}", error.mend)) from error
        except KeyboardInterrupt as error:
            raise StoppedError(error) from None
        return search.pick(reported)

    def _ended(self, search: Search, trial: FrozenTrial) -> None:
        best = search.best()
        tell = self._events.warn if trial.state == TrialState.FAIL else self._events.info
        with self._guard:
            tell(_ended_text(search, trial, best))
            tidy(search)
            if best is not None:
                self._task.note(f"{search.variant.name}: best {_value_text(search, best)}")
            self._task.advance()

    def _tell(self, tell: Callable[[str], None], text: str) -> None:
        with self._guard:
            tell(text)


class _Heard(Silent):
    """What is heard of a trial: its epochs and warnings.

    Args:
        report: Takes the metrics of an epoch.
        warn: Takes a warning.
    """

    def __init__(self, report: Callable[[Mapping[str, Any]], None], warn: Callable[[str], None]) -> None:
        self._report, self._warn = report, warn

    def epoch(self, entry: Mapping[str, Any]) -> None:
        """See Events.epoch."""
        self._report(entry)

    def warn(self, text: str) -> None:
        """See Events.warn."""
        self._warn(text)


def tidy(search: Search) -> None:
    """Remove the weights of trials that are over, but the student of the best; metrics and settings stay."""
    best = search.best()
    for trial in search.over:
        for name in ("checkpoints",) if best is not None and trial.number == best.number else ("checkpoints", "best"):
            shutil.rmtree(search.run(trial.number) / name, ignore_errors=True)


def _name(search: Search, trial: optuna.Trial | FrozenTrial) -> str:
    return f"{search.variant.name} trial {trial.number}"


def _ended_text(search: Search, trial: FrozenTrial, best: FrozenTrial | None) -> str:
    """How a trial ended, and the best so far."""
    how = f"done: {_value_text(search, trial)}"
    if trial.state == TrialState.FAIL:
        how = f"failed and is left out: {trial.user_attrs['error']}"
    elif trial.state == TrialState.PRUNED:
        how = f"pruned after epoch {trial.last_step} at {_value_text(search, trial)}"
    so_far = "" if best is None else f"; best {_value_text(search, best)} (trial {best.number})"
    return f"{_name(search, trial)} {how}{so_far}"


def _value_text(search: Search, trial: FrozenTrial) -> str:
    return f"{search.tune.metric} {score_text(search.tune.metric, trial.value)}"

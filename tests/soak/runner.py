"""Runs faults: jobs in worker processes, one try a folder; what came of them by outcome."""

import multiprocessing
import shutil
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.soak.trial import Fault, Job, Trial

Progress = Callable[["Tally"], None]
_JOBS: list[Job] = []


@dataclass
class Tally:
    """What came of the tries of a fault."""

    name: str
    total: int
    """Jobs that there are."""
    tries: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    harms: list[dict[str, str]] = field(default_factory=list)

    def add(self, trial: Trial) -> None:
        self.tries += 1
        self.outcomes[trial.outcome] += 1
        if trial.harm:
            self.harms.append({"what": trial.what, "outcome": trial.outcome, "harm": trial.harm})

    def to_json(self) -> dict[str, Any]:
        counted = {"tries": self.tries, "of": self.total, "seconds": round(self.seconds, 1)}
        return {**counted, "outcomes": dict(sorted(self.outcomes.items())), "harms": self.harms}


def tally(
    name: str,
    fault: Fault,
    *,
    seed: int,
    count: int,
    folder: Path,
    workers: int = 1,
    seconds: float = float("inf"),
    progress: Progress = lambda tally: None,
) -> Tally:
    """Try a fault.

    Args:
        name: Of the fault.
        fault: Which.
        seed: Of everything that is drawn.
        count: Tries.
        folder: For what the tries of all faults need; not removed.
        workers: Processes that try.
        seconds: After which no further try begins.
        progress: Called after every try.
    """
    start = time.monotonic()
    sound, tries = folder / "sound", folder / name
    sound.mkdir(parents=True, exist_ok=True)
    tries.mkdir()
    jobs = fault.trials(seed, count, sound)
    result = Tally(name, len(jobs))
    for trial in _run(jobs, tries, workers):
        result.add(trial)
        result.seconds = time.monotonic() - start
        progress(result)
        if result.seconds > seconds:
            break
    return result


def _run(jobs: list[Job], folder: Path, workers: int) -> Iterator[Trial]:
    """The trials as they end. Workers are forks, so that a job needs no pickling and starts with all imported."""
    global _JOBS
    _JOBS = jobs
    places = [(number, folder / str(number)) for number in range(len(jobs))]
    if workers == 1:
        yield from map(_one, places)
        return
    pool = multiprocessing.get_context("fork").Pool(workers)
    try:
        yield from pool.imap_unordered(_one, places)
    finally:
        pool.terminate()
        pool.join()


def _one(at: tuple[int, Path]) -> Trial:
    number, place = at
    place.mkdir()
    try:
        return _JOBS[number](place)
    except Exception as error:  # noqa: BLE001 - one try must not end the others
        return Trial(f"job {number}", "the test failed", "".join(traceback.format_exception(error))[-2000:])
    finally:
        shutil.rmtree(place, ignore_errors=True)

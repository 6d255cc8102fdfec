"""SIGKILL at a random operation, half a write or a random moment; then the same command again."""

import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

from tests.forks import Ended, forked
from tests.soak.files import Operation, Perform, half, watched
from tests.soak.trial import Fault, Job, Trial, refusal
from tests.soak.works import WORKS, Work, differences, temporaries, undisturbed


class Killer:
    """Kills the process at its n-th operation: before it, by half, or after it."""

    def __init__(self, number: int, moment: str) -> None:
        self.left, self.moment = number, moment

    def __call__(self, operation: Operation, perform: Any) -> Any:
        self.left -= 1
        if self.left:
            return perform()
        if self.moment == "half":
            half(operation, perform)
        elif self.moment == "after":
            perform()
        os.kill(os.getpid(), signal.SIGKILL)
        return None


class Counter:
    """Counts operations."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, operation: Operation, perform: Perform) -> Any:
        self.count += 1
        return perform()


def measured(work: Work, sound: Path, place: Path) -> dict[str, Any]:
    """The operations and seconds of an undisturbed run."""
    place.mkdir(parents=True)
    work.prepare(sound, place)
    counter, start = Counter(), time.perf_counter()
    with watched(place, counter):
        work.run(sound, place)
    return {"operations": counter.count, "seconds": time.perf_counter() - start}


def trials(seed: int, count: int, sound: Path) -> list[Job]:
    """A third of the kills each for embed, rdm and train; half of them at an operation, half at a moment."""
    drawn = random.Random(f"kills {seed}")
    jobs: list[Job] = []
    known = {}
    for work in WORKS:
        undisturbed(work, sound)
        known[work.name] = forked(partial(measured, work, sound, sound / "measured" / work.name)).must()
    for number in range(count):
        work = WORKS[number % len(WORKS)]
        kills = 1 if drawn.random() < 0.8 else 3
        jobs.append(partial(_try, work, sound, [_point(drawn, known[work.name], number) for _ in range(kills)]))
    return jobs


def _point(drawn: random.Random, known: dict[str, Any], number: int) -> tuple[str, float]:
    if number // len(WORKS) % 2:
        return "time", known["seconds"] * drawn.random()
    return drawn.choice(["before", "half", "after"]), drawn.randint(1, known["operations"])


def _killed(work: Work, sound: Path, place: Path, point: tuple[str, float]) -> Ended:
    moment, number = point

    def run() -> None:
        with watched(place, Killer(int(number), moment)):
            work.run(sound, place)

    return forked(partial(work.run, sound, place), kill_after=number) if moment == "time" else forked(run)


def _try(work: Work, sound: Path, points: list[tuple[str, float]], place: Path) -> Trial:
    what = f"{work.name} {' '.join(f'{moment}:{number:.4g}' for moment, number in points)}"
    work.prepare(sound, place)
    ends = [_killed(work, sound, place, point) for point in points]
    dead = sum(end.status == -signal.SIGKILL for end in ends)
    alive = [end for end in ends if end.status != -signal.SIGKILL and not end.done]
    last = forked(partial(work.run, sound, place))
    if alive or not last.done:
        bad = (alive or [last])[0]
        return Trial(what, "stopped", refusal(bad) or f"{bad.kind}: {bad.message}")
    if wrong := differences(place, undisturbed(work, sound)) + temporaries(place):
        return Trial(what, "other bytes", f"differ: {wrong[:5]}")
    return Trial(what, f"{work.name}: same bytes" if dead else f"{work.name}: ended before the kill")


FAULT = Fault(trials, full=240, part=6)

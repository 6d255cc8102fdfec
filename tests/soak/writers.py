"""Two processes that write one store or one run at the same time: the first waits at an operation for the second."""

import os
import random
import select
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.forks import Child, Ended, forked
from tests.soak.files import Operation, Perform, watched
from tests.soak.trial import Fault, Job, Trial, refusal
from tests.soak.works import EMBED, RDM, ROWS, TRAIN, Work, differences, embed_blocks, temporaries, undisturbed
from tests.stages.embedding import BLOCK

WAIT = 0.4
"""Seconds that the first waits: the second may wait for the first."""
BLOCKS = -(-ROWS // BLOCK)
OPERATIONS = {"embed": 400, "rdm": 700, "train": 150}
"""About so many has an undisturbed run."""


def trials(seed: int, count: int, sound: Path) -> list[Job]:
    """The same embed, rdm and train twice; and two embeds of disjoint blocks."""
    drawn = random.Random(f"writers {seed}")
    jobs: list[Job] = []
    for number in range(count):
        work = (EMBED, RDM, TRAIN, EMBED)[number % 4]
        undisturbed(work, sound)
        cut = drawn.randint(1, BLOCKS - 1) if number % 4 == 3 else None
        jobs.append(partial(_try, sound, work, cut, drawn.randint(1, OPERATIONS[work.name])))
    return jobs


def _try(sound: Path, work: Work, cut: int | None, number: int, place: Path) -> Trial:
    what = f"{work.name} {'same' if cut is None else f'blocks cut at {cut}'}, waits at {number}"
    work.prepare(sound, place)
    if cut is None:
        first = second = partial(work.run, sound, place)
    else:
        first, second = (partial(embed_blocks, place, blocks) for blocks in (f"0:{cut}", f"{cut}:{BLOCKS}"))
    ends = _at_once(first, second, number, place)
    allowed = {"", "busy"} if cut is None else {""}
    for end in ends:
        if harm := refusal(end) or ("" if end.kind in allowed else f"{end.kind}: {end.message}"):
            return Trial(what, "stopped", harm)
    if all(end.kind for end in ends):
        return Trial(what, "nobody wrote", "both were refused")
    again = forked(partial(work.run, sound, place))
    if not again.done:
        return Trial(what, "does not go on", f"{again.kind}: {again.message}")
    if wrong := differences(place, undisturbed(work, sound)) + temporaries(place):
        return Trial(what, "other bytes", f"differ: {wrong[:5]}")
    refused = sum(bool(end.kind) for end in ends)
    how = "one is refused as busy" if refused else "both end"
    return Trial(what, f"{work.name}, {'the same' if cut is None else 'disjoint blocks'}: {how}, the same bytes")


def _at_once(first: Callable[[], None], second: Callable[[], None], number: int, place: Path) -> list[Ended]:
    """The second begins when the first is at its n-th operation, and has a while for itself."""
    (here, reached), (ended, over) = os.pipe(), os.pipe()

    def waits() -> None:
        with watched(place, _Pause(number, reached, ended)):
            first()

    try:
        one = Child(waits)
        os.close(reached)
        os.read(here, 1)  # or it ended before
        two = Child(second)
        last = two.wait()
        os.write(over, b".")
        return [one.wait(), last]
    finally:
        for descriptor in (here, ended, over):
            os.close(descriptor)


class _Pause:
    def __init__(self, number: int, reached: int, ended: int) -> None:
        self.left, self.reached, self.ended = number, reached, ended

    def __call__(self, operation: Operation, perform: Perform) -> Any:
        self.left -= 1
        if not self.left:
            os.write(self.reached, b".")
            select.select([self.ended], [], [], WAIT)
        return perform()


FAULT = Fault(trials, full=200, part=4)

"""ENOSPC and EIO at the n-th operation, for every n: one line, nothing lost, and the same command then ends alike."""

import errno
import os
import random
import re
from functools import partial
from pathlib import Path
from typing import Any

from tests.forks import Ended, forked
from tests.soak.files import WRITES, Operation, half, watched
from tests.soak.trial import Fault, Job, Trial, refusal
from tests.soak.works import WORKS, Work, differences, only_set_aside, temporaries, undisturbed

CODES = {"full": errno.ENOSPC, "failing": errno.EIO}
_RECORD = re.compile(r"/journal/[^/]+/\d{6}\.json$")


class Failing:
    """Lets the n-th operation fail, and perhaps all that follow; keeps what was committed before."""

    def __init__(self, number: int, code: int, *, lasting: bool) -> None:
        self.left, self.code, self.lasting = number, code, lasting
        self.failed = ""
        self.committed: list[str] = []

    def __call__(self, operation: Operation, perform: Any) -> Any:
        if not may_fail(operation, self.code):
            return perform()
        self.left -= 1
        if self.left == 0 or (self.left < 0 and self.lasting):
            self.failed = self.failed or f"{operation.kind} {operation.path}"
            half(operation, perform)
            raise OSError(self.code, os.strerror(self.code))
        value = perform()
        if operation.kind == "rename" and _RECORD.search(operation.target):
            self.committed.append(operation.target)
        return value


def may_fail(operation: Operation, code: int) -> bool:
    """A full disk takes no bytes and names; a failing one fails anywhere."""
    return operation.kind in WRITES or code != errno.ENOSPC


def counted(work: Work, sound: Path, place: Path) -> dict[str, int]:
    """The operations of an undisturbed run that may fail, by error."""
    place.mkdir(parents=True)
    work.prepare(sound, place)
    numbers = dict.fromkeys(CODES, 0)

    def count(operation: Operation, perform: Any) -> Any:
        for name, code in CODES.items():
            numbers[name] += may_fail(operation, code)
        return perform()

    with watched(place, count):
        work.run(sound, place)
    return numbers


def trials(seed: int, count: int, sound: Path) -> list[Job]:
    """Every operation of every work with both errors, in an order of the seed; each once, or from there on."""
    drawn = random.Random(f"disk {seed}")
    points = []
    for work in WORKS:
        undisturbed(work, sound)
        operations = forked(partial(counted, work, sound, sound / "counted" / work.name)).must()
        points += [(work, number, name) for name in CODES for number in range(1, operations[name] + 1)]
    drawn.shuffle(points)
    return [partial(_try, sound, *point, drawn.random() < 0.5) for point in points[:count]]


def _try(sound: Path, work: Work, number: int, name: str, lasting: bool, place: Path) -> Trial:
    work.prepare(sound, place)

    def run() -> dict[str, Any]:
        disk = Failing(number, CODES[name], lasting=lasting)
        told: dict[str, Any] = {}
        try:
            with watched(place, disk):
                work.run(sound, place)
        except OSError as error:  # a DiskError is one
            told = {"kind": getattr(error, "kind", type(error).__name__), "error": str(error)}
        return {**told, "failed": disk.failed, "committed": disk.committed, "code": disk.code}

    first = forked(run)
    told = first.value or {}
    failed = str(told.get("failed", "")).replace(str(place), "")
    what = f"{work.name} {name} {'from' if lasting else 'at'} {number} ({failed})"
    if harm := _harm(first, told, place):
        return Trial(what, "harm", harm)
    last = forked(partial(work.run, sound, place))
    if not last.done:
        return Trial(what, "does not go on", refusal(last) or f"{last.kind}: {last.message}")
    wrong = differences(place, undisturbed(work, sound)) + temporaries(place)
    if not told.get("kind") and only_set_aside(wrong, place):
        return Trial(what, f"{work.name}: the same bytes, and an old checkpoint that could not be removed")
    if wrong:
        return Trial(what, "other bytes", f"differ: {wrong[:5]}")
    ended = "one line, then the same bytes" if told.get("kind") else "not needed, the same bytes"
    return Trial(what, f"{work.name}: {ended}")


def _harm(first: Ended, told: dict[str, Any], place: Path) -> str:
    if not first.done:
        return refusal(first) or f"another error: {first.kind}: {first.message}"
    if told.get("kind", "disk") != "disk" or "\n" in told.get("error", ""):
        return f"not one line of ours: {told}"
    if lost := [name for name in told["committed"] if not Path(name).exists()]:
        return f"lost: {lost[:3]}"
    if (left := temporaries(place)) and told["code"] == errno.ENOSPC:  # else their removal may have failed
        return f"left: {left[:3]}"
    return ""


FAULT = Fault(trials, full=1 << 30, part=6)

"""Meters of time: what a step takes, and each part of it. The device is waited for around what is timed, not within."""

import time
from collections.abc import Callable

import torch

from teachonce.benchmarks.live.records import PARTS
from teachonce.benchmarks.rounds import wait
from teachonce.engine.probe import probed
from teachonce.engine.session import Session


def timed_ms(work: Callable[[], object], device: torch.device) -> float:
    """Milliseconds of some work, that of the device included."""
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return 1e3 * (time.perf_counter() - began)


def part_times(session: Session, work: Callable[[], object], *, live: bool) -> dict[str, float]:
    """Milliseconds of each of `PARTS` in the steps that `work` makes, all together.

    Args:
        session: Whose steps they are.
        work: Makes them.
        live: Whether targets come from the teacher's forward; else they are read.
    """
    wait(session.device)
    with probed(session) as times:
        work()
        found = times.read()
    targets = found.pop("targets", 0.0)
    found["teacher" if live else "transfer"] = found.get("teacher" if live else "transfer", 0.0) + targets
    return {part: found.get(part, 0.0) for part in PARTS}

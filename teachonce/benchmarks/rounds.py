"""Arithmetic of repeated measurements: medians, spreads, and ratios within a round."""

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from teachonce.events import Task


@dataclass(frozen=True)
class Ratio:
    """A ratio of two times, measured in the same rounds."""

    median: float
    low: float
    """The lower quartile of the rounds' ratios."""
    high: float
    """The upper quartile."""


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The lower quartile, the median and the upper quartile; all the same for one value."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def paired_ratio(times: Sequence[float], reference: Sequence[float]) -> Ratio:
    """Times over reference times, round by round: what a noisy machine does to a round, it does to both."""
    low, middle, high = quartiles([a / b for a, b in zip(times, reference, strict=True)])
    return Ratio(median=middle, low=low, high=high)


def wait(device: torch.device) -> None:
    """Wait for what was given to a device; on a CPU it is done already."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def in_turns(
    works: Mapping[str, Callable[[], object]], rounds: int, warm_up: int, device: torch.device, task: Task
) -> dict[str, list[float]]:
    """Milliseconds of each work in each round, so that whatever else the machine does falls on all.

    The order is another one in each round, and the same in each run: a work finds its caches as cold as the one before
    has left them, so each must follow each other as often.

    Args:
        works: Name -> what is timed; the device is waited for before and after.
        rounds: Rounds that count.
        warm_up: Rounds before them.
        device: Where they work.
        task: A unit is a round.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    order = random.Random(0)
    for index in range(warm_up + rounds):
        for name in order.sample(list(works), len(works)):
            wait(device)
            began = time.perf_counter()
            works[name]()
            wait(device)
            times[name] += [1e3 * (time.perf_counter() - began)] if index >= warm_up else []
        task.advance()
    return times

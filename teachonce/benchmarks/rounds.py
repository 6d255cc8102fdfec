"""Arithmetic of repeated measurements: medians, spreads, and ratios within a round."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch


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


def median_ms(times: Sequence[float]) -> dict[str, float]:
    """`step_ms`, the median, and `spread_ms`, half the distance of the quartiles; milliseconds as given."""
    low, middle, high = quartiles(times)
    return {"step_ms": middle, "spread_ms": (high - low) / 2}


def wait(device: torch.device) -> None:
    """Wait for what was given to a device; on a CPU it is done already."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)

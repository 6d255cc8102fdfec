"""Ratios of the arms' times, within the rounds that they were measured in."""

from collections.abc import Sequence
from dataclasses import dataclass

from teachonce.benchmarks.live.ceilings import time_ceiling
from teachonce.benchmarks.live.records import LiveCheck, TimeResult
from teachonce.benchmarks.rounds import paired_ratio

LIMIT = 1.1
"""A live step may take so many times its teacher's forward and the student's step; more would be a straw man."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """Milliseconds a step of each arm of a method, one value a round."""

    student_only: Sequence[float]
    constant: Sequence[float]
    cached: Sequence[float]
    live: Sequence[float]
    teacher: Sequence[float]
    """Its bare forward pass on a batch that is rendered already."""
    live_constant: Sequence[float]
    """The live arm's own method on constant targets; another than `constant` for clip-embed-kd."""


def time_ratios(times: Times) -> TimeResult:
    """Medians and quartiles of the rounds' own ratios.

    `live_check` is live / (teacher + constant step of the live arm's method); see LIMIT.
    """
    ceilings = [time_ceiling(t, s) for t, s in zip(times.teacher, times.constant, strict=True)]
    parts = [t + s for t, s in zip(times.teacher, times.live_constant, strict=True)]
    found = {
        "speedup": paired_ratio(times.live, times.cached),
        "overhead_cache": paired_ratio(times.cached, times.constant),
        "overhead_loss": paired_ratio(times.constant, times.student_only),
        "time_ceiling": paired_ratio(ceilings, [1.0] * len(ceilings)),
        "live_check": paired_ratio(times.live, parts),
    }
    medians = {name: ratio.median for name, ratio in found.items()}
    check = medians.pop("live_check")
    return TimeResult(
        **medians,
        share_of_limit=medians["speedup"] / medians["time_ceiling"],
        live_check=LiveCheck(ratio=check, limit=LIMIT, within=2 - LIMIT <= check <= LIMIT),
        spread={name: (ratio.low, ratio.high) for name, ratio in found.items()},
    )

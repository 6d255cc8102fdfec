"""Speed-up and memory ratios over the settings of a sweep, as data, with the papers' 8x and 9x and the ceilings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from teachonce.errors import DataError

CLAIMING = ("clip-embed-kd", "clip-teacher-kd")
"""Methods to which the figures of CLIP-Embed-KD (arXiv 2404.06170) apply."""


@dataclass(frozen=True, kw_only=True)
class SweepPoint:
    """One combination of settings."""

    case: str
    batch_size: int
    precision: str
    compile: bool
    speedup: float
    low: float | None
    """The lower quartile of `speedup`, as `high` the upper."""
    high: float | None
    memory_ratio: float | None
    """Allocated between steps, with the data of an epoch if known, as `memory_ceiling`."""
    peak_memory_ratio: float | None
    time_ceiling: float | None
    memory_ceiling: float | None
    peak_memory_ceiling: float | None


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """All combinations of one method."""

    method: str
    points: tuple[SweepPoint, ...]

    @property
    def claimed(self) -> bool:
        """Whether the figures of the papers apply to this method."""
        return self.method in CLAIMING


def sweep(results: Mapping[str, Any] | Sequence[Mapping[str, Any]], method: str) -> Sweep:
    """The points of results of `bench live`: one case, many, or several results.

    Args:
        results: As JSON has them.
        method: Cases without it are left out.

    Raises:
        DataError: No case has this method.
    """
    given = [results] if isinstance(results, Mapping) else results
    cases = [case for result in given for case in result.get("cases", [result])]
    points = tuple(_point(case, case["methods"][method]) for case in cases if method in case["methods"])
    if not points:
        there = ", ".join(dict.fromkeys(name for case in cases for name in case["methods"]))
        raise DataError(f"no case of the benchmark has method {method!r}, but {there or 'none'}", "Choose one of them")
    return Sweep(method=method, points=points)


def _point(case: Mapping[str, Any], found: Mapping[str, Any]) -> SweepPoint:
    low, high = (found.get("spread") or {}).get("speedup") or (None, None)
    return SweepPoint(
        case=case.get("case") or f"{case['teacher']} to {case['student']}",
        batch_size=case["batch_size"],
        precision=case["precision"],
        compile=bool(case.get("compile")),
        speedup=found["speedup"],
        low=low,
        high=high,
        **{key: found.get(f"{key}_at_epoch", found.get(key)) for key in _OPTIONAL},
    )


_OPTIONAL = ("memory_ratio", "peak_memory_ratio", "time_ceiling", "memory_ceiling", "peak_memory_ceiling")

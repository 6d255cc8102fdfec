"""Time and memory of the arms of a benchmark, as data: as in the figure of CLIP-Embed-KD (arXiv 2404.06170)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from teachonce.errors import DataError

ARMS = {"student-only": "no teacher", "constant": "constant targets", "cached": "cached", "live": "live teacher"}
"""Arms in drawing order, and their names."""
STEP_PARTS = {
    "data": "data",
    "transfer": "transfer",
    "teacher": "teacher",
    "student_forward": "student forward",
    "loss": "loss",
    "backward": "backward",
    "optimiser": "optimiser",
}
"""Parts of a step in order, and their names."""


@dataclass(frozen=True, kw_only=True)
class ArmBar:
    """Time and memory of one arm."""

    arm: str
    """A key of ARMS."""
    step_ms: float | None
    low: float | None = None
    """The lower quartile of `step_ms`, as `high` the upper."""
    high: float | None = None
    parts_ms: Mapping[str, float] = field(default_factory=dict)
    """Of STEP_PARTS; empty if they were not measured."""
    allocated_bytes: int | None = None
    """Between steps."""
    peak_memory_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Arms:
    """The arms of one method with one setting."""

    method: str
    live_method: str
    """The method of the live arm: another one for clip-embed-kd."""
    device: str
    bars: tuple[ArmBar, ...]


def arms(case: Mapping[str, Any], method: str) -> Arms:
    """The arms of a case of `bench live`.

    Args:
        case: As JSON has it.
        method: One of the case's.

    Raises:
        DataError: The case has no such method.
    """
    found = measured(case, method)
    return Arms(
        method=method,
        live_method=found.get("live_method") or method,
        device=str(case.get("device", "")),
        bars=tuple(_bar(arm, found["arms"][arm]) for arm in ARMS if arm in found["arms"]),
    )


def measured(case: Mapping[str, Any], method: str) -> Mapping[str, Any]:
    """The result of a case of `bench live` for a method.

    Raises:
        DataError: The case has no such method.
    """
    methods: Mapping[str, Mapping[str, Any]] = case["methods"]
    if method not in methods:
        raise DataError(f"no method {method!r} in this benchmark, but {', '.join(methods)}", "Choose one of them")
    return methods[method]


def _bar(arm: str, value: Mapping[str, Any]) -> ArmBar:
    spread = value.get("spread") or {}
    return ArmBar(
        arm=arm,
        step_ms=value["step_ms"],
        low=spread.get("low"),
        high=spread.get("high"),
        parts_ms={part: ms for part in STEP_PARTS if (ms := (value.get("parts_ms") or {}).get(part))},
        allocated_bytes=value.get("allocated_bytes"),
        peak_memory_bytes=value.get("peak_memory_bytes"),
    )

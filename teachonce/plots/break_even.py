"""Training time over epochs, live and from the cache, as data, and their break-even."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from teachonce.plots.arms import measured


@dataclass(frozen=True, kw_only=True)
class BreakEven:
    """Two lines: the total time after each epoch, live and from the cache."""

    method: str
    live_method: str
    stage_one_s: float
    """The teacher's pass, writing included."""
    rdm_s: float
    """Training of RDMs, which counts as time of the cache; 0 without RDMs."""
    cached_epoch_s: float
    live_epoch_s: float
    epochs: int
    """Of one student."""

    @property
    def ahead_s(self) -> float:
        """Seconds before the first epoch from the cache."""
        return self.stage_one_s + self.rdm_s

    @property
    def crossing(self) -> float | None:
        """Epochs to break-even; None: never."""
        gain = self.live_epoch_s - self.cached_epoch_s
        return self.ahead_s / gain if gain > 0 else None

    def cached_s(self, epochs: float) -> float:
        """Seconds from the cache."""
        return self.ahead_s + epochs * self.cached_epoch_s

    def live_s(self, epochs: float) -> float:
        """Seconds with the live teacher."""
        return epochs * self.live_epoch_s


def break_even(case: Mapping[str, Any], method: str) -> BreakEven:
    """The lines of a case of `bench live`.

    Args:
        case: As JSON has it.
        method: One of the case's.

    Raises:
        DataError: The case has no such method.
    """
    found = measured(case, method)
    return BreakEven(
        method=method,
        live_method=found.get("live_method") or method,
        stage_one_s=found["stage_one_s"],
        rdm_s=found.get("rdm_s") or 0.0,
        cached_epoch_s=found["arms"]["cached"]["epoch_s"],
        live_epoch_s=found["arms"]["live"]["epoch_s"],
        epochs=case["epochs"],
    )

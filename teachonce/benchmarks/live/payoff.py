"""Break-even: the fixed cost of the cache against what every further epoch saves."""

from dataclasses import dataclass
from typing import Literal

from teachonce.bounds import NotBelow
from teachonce.texts import epochs_text, number_text


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Seconds of one method, multiplied out to a whole epoch of the data."""

    stage_one_s: float
    """The teacher once over all samples, written to disk."""
    rdm_s: float
    """Training RDMs on the stored embeddings and writing their outputs; 0 without. A live training with RDMs would need
    them too, yet all of it is charged to the cache, so that break-even is an upper bound."""
    cached_epoch_s: float
    """Reading the store is within it."""
    live_epoch_s: float
    epochs: int
    """Of one student."""

    @property
    def ahead_s(self) -> float:
        """Seconds before the first epoch from the cache."""
        return self.stage_one_s + self.rdm_s

    @property
    def crossing(self) -> float | None:
        """The epochs E at which ahead + E * cached = E * live; the cache is ahead after that. None: never."""
        saved = self.live_epoch_s - self.cached_epoch_s
        return self.ahead_s / saved if saved > 0 else None

    def cached_s(self, epochs: float) -> float:
        """Seconds from the cache."""
        return self.ahead_s + epochs * self.cached_epoch_s

    def live_s(self, epochs: float) -> float:
        """Seconds with the live teacher."""
        return epochs * self.live_epoch_s


@dataclass(frozen=True, kw_only=True)
class Payoff:
    """When, and who is better for one student."""

    break_even_epochs: NotBelow | None
    """None: never."""
    break_even_students: NotBelow | None = None
    """Students of `epochs` epochs each; None: never."""
    pays: Literal["cached", "live"]

    def __post_init__(self) -> None:
        """What never is, is not the better."""
        if self.pays == "cached" and self.break_even_epochs is None:
            raise ValueError("the cache is better for one student, and break_even_epochs says that it never is")


def payoff(costs: Costs) -> Payoff:
    """When the cache is ahead."""
    epochs = costs.crossing
    if epochs is None:
        return Payoff(break_even_epochs=None, break_even_students=None, pays="live")
    return Payoff(
        break_even_epochs=epochs,
        break_even_students=epochs / costs.epochs,
        pays="cached" if epochs <= costs.epochs else "live",
    )


def verdict(found: Payoff, *, speedup: float, memory_ratio: float, epochs: int) -> str:
    """One sentence for who reads nothing else.

    Args:
        found: Of one method.
        speedup: live/cached, of a step's time.
        memory_ratio: live/cached, of what is allocated between steps.
        epochs: Of one student.
    """
    memory = f"{_times(memory_ratio, 'memory')} between steps"
    if found.break_even_epochs is None:
        return f"The live teacher is better here: a step from the cache takes {_times(speedup, 'time')}; no break-even."
    when = epochs_text(found.break_even_epochs)
    if found.pays == "live":
        return (
            f"The live teacher is better here: a step from the cache takes {_times(speedup, 'time')} and {memory}, "
            f"but break-even is only after {when}, and a student has {epochs:,}."
        )
    return f"From the cache a step takes {_times(speedup, 'time')} and {memory}; break-even after {when}."


def _times(ratio: float, what: str) -> str:
    """`4.6 times less time`; `as much time` where two digits show no difference."""
    if 0.95 < ratio < 1.05:
        return f"as much {what}"
    return f"{number_text(ratio)} times less {what}" if ratio > 1 else f"{number_text(1 / ratio)} times more {what}"

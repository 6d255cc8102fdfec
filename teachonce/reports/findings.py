"""Comparisons of a live teacher with its cache, from benchmarks or from runs."""

from dataclasses import dataclass

from teachonce.reports.gather import Material
from teachonce.reports.measured import Measured, measurements
from teachonce.reports.pairs import Pair, pairs


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One comparison of a live teacher with its cache."""

    name: str
    """Unique among the findings."""
    speedup: float
    low: float
    """The lower end of the spread, as `high` the upper."""
    high: float
    memory_ratio: float | None
    memory_name: str
    """Which memory that is."""
    break_even: float | None
    """Epochs; None: never, or not known (`has_break_even`)."""
    has_break_even: bool
    """Whether `break_even` could be computed: the time of stage one was recorded."""
    epochs: int
    is_better: bool
    """The cache, for one student."""

    @property
    def is_clear(self) -> bool:
        """Whether the spread is on one side of 1."""
        return not self.low <= 1 <= self.high


def findings(material: Material) -> list[Finding]:
    """From the benchmarks if there are any, else from the runs."""
    measured = measurements(material)
    return list(map(of_bench, measured)) if measured else list(map(_of_pair, pairs(material)))


def of_bench(one: Measured) -> Finding:
    """What `bench live` found for a method."""
    found, (low, high) = one.found, one.found.speedup_spread
    return Finding(
        name=f"{one.method} ({one.setting})" if one.setting else one.method,
        speedup=found.speedup,
        low=low,
        high=high,
        memory_ratio=found.memory_ratio_of_epoch,
        memory_name="memory between steps",
        break_even=found.break_even_epochs,
        has_break_even=True,
        epochs=one.case.epochs,
        is_better=found.pays == "cached",
    )


def _of_pair(pair: Pair) -> Finding:
    known, (low, high) = pair.payoff, pair.spread
    return Finding(
        name=pair.label,
        speedup=pair.speedup,
        low=low,
        high=high,
        memory_ratio=pair.memory_ratio,
        memory_name="memory at the peak",
        break_even=None if known is None else known.break_even_epochs,
        has_break_even=known is not None,
        epochs=pair.epochs,
        is_better=pair.speedup > 1 if known is None else known.pays == "cached",
    )

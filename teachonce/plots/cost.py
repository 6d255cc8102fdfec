"""Training cost against accuracy (CIFD, Saidutta et al., NeurIPS 2024, Fig. 1b), as data: a point per method."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from teachonce.errors import DataError, InputError
from teachonce.events import SILENT, Events
from teachonce.plots.groups import grouped
from teachonce.plots.macs import PARTS, CostCounter
from teachonce.plots.runs import Run, comparable, is_one_test, nothing_finished, read_runs

Which = Literal["auto", "test", "validation"]
COUNTING = "multiply-accumulates of forward passes, each once (no factor for backward passes), of training rows"


@dataclass(frozen=True, kw_only=True)
class CostPoint:
    """Runs that differ only in the seed."""

    label: str
    student: str
    method: str
    target: str | None
    rdm: tuple[str, ...]
    assistants: tuple[str, ...]
    source: str
    """The source of their targets, `cached` or `live`; both costs are given for either."""
    runs: tuple[str, ...]
    accuracies: tuple[float, ...]
    """In [0, 1], one per run."""
    accuracy_mean: float
    accuracy_sd: float | None
    """Over the seeds, n - 1; None for one run."""
    cached_macs: int
    """The mean over the runs, as all below."""
    live_macs: int
    cached_parts: Mapping[str, int]
    """teacher, assistants, rdm, student."""
    live_parts: Mapping[str, int]

    @property
    def is_live(self) -> bool:
        """Whether a teacher ran live."""
        return self.source == "live" and self.cached_macs != self.live_macs

    @property
    def macs(self) -> int:
        """With the source of targets that they were trained with."""
        return self.live_macs if self.is_live else self.cached_macs


@dataclass(frozen=True, kw_only=True)
class Costs:
    """All points of a figure."""

    accuracy: Literal["test", "validation"]
    counting: str
    points: tuple[CostPoint, ...]


def training_costs(
    places: Sequence[Path],
    *,
    store: Path | None = None,
    student: str | None = None,
    accuracy: Which = "auto",
    events: Events = SILENT,
) -> Costs:
    """Cost and accuracy of finished runs.

    Args:
        places: Runs, or folders with runs below them.
        store: Where the store is now; None: as recorded in the runs.
        student: Points of this student only (assistants are still searched for in all runs); None: all.
        accuracy: `test`, `validation`, or `auto`: test if all runs were tested on the same data.
        events: Receives warnings.

    Raises:
        InputError: No such student, or no folder.
        DataError: A run has no such accuracy, or test data differ.
        StoreMissingError: A folder, a run or a store does not exist.
        MismatchError: A store is not the one that was trained on.
    """
    known = _countable(read_runs(places, events), places, events)
    shown = [run for run in known if student in (None, run.settings.student)]
    if not shown:
        there = ", ".join(sorted({run.settings.student for run in known}))
        raise InputError(f"there is no run of student {student!r}, but of {there}", "Choose one of them")
    which = accuracy
    if which == "auto":
        which = comparable(shown)
    if which == "test" and not is_one_test(shown):
        mend = "Evaluate them on the same, or use --accuracy validation"
        raise DataError("the runs were evaluated on different test data", mend)
    counter = CostCounter(known, store, events)
    points = [_point(group.label, group.runs, counter, which) for group in grouped(shown)]
    return Costs(accuracy=which, counting=COUNTING, points=tuple(sorted(points, key=lambda point: point.cached_macs)))


def _countable(runs: Sequence[Run], places: Sequence[Path], events: Events) -> list[Run]:
    """Those whose teacher's cost is known."""
    unknown = [run for run in runs if run.needs_teacher and run.target is None]
    if unknown:
        summary = (
            f"{unknown[0].folder} is" if len(unknown) == 1 else f"{len(unknown)} runs ({unknown[0].folder} is one) are"
        )
        why = "trained live and without a store, so the teacher's cost is unknown"
        events.warn(f"{summary} left out of training costs: {why}")
    if len(unknown) == len(runs):
        raise nothing_finished(places)
    return [run for run in runs if run not in unknown]


def _point(label: str, runs: Sequence[Run], counter: CostCounter, which: Which) -> CostPoint:
    first, values = runs[0], [_accuracy(run, which) for run in runs]
    costs = [counter.cost(run) for run in runs]
    cached = {part: round(statistics.fmean(cost.cached[part] for cost in costs)) for part in PARTS}
    live = {part: round(statistics.fmean(cost.live[part] for cost in costs)) for part in PARTS}
    return CostPoint(
        label=label,
        student=first.settings.student,
        method=first.settings.method,
        target=first.target,
        rdm=first.extras["rdm"],
        assistants=first.extras["assistants"],
        source=first.settings.source,
        runs=tuple(str(run.folder) for run in runs),
        accuracies=tuple(values),
        accuracy_mean=statistics.fmean(values),
        accuracy_sd=statistics.stdev(values) if len(values) > 1 else None,
        cached_macs=sum(cached.values()),
        live_macs=sum(live.values()),
        cached_parts=cached,
        live_parts=live,
    )


def _accuracy(run: Run, which: Which) -> float:
    value = run.top1(which)
    if value is None:
        mend = "Evaluate it with `teachonce run`, or use --accuracy validation" if which == "test" else "Leave it out"
        raise DataError(f"{run.folder} has no {which} accuracy", mend)
    return float(value)

"""Pairs of runs with equal settings, one from the cache and one with the live teacher."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from teachonce.benchmarks.live.payoff import Costs, Payoff, payoff
from teachonce.engine.records import Epoch
from teachonce.errors import StoreError
from teachonce.options.alike import paired, same_but
from teachonce.plots.curves import read_metrics
from teachonce.plots.groups import Group
from teachonce.plots.runs import Run
from teachonce.records import to_json
from teachonce.reports.accuracy import students
from teachonce.reports.gather import Material
from teachonce.reports.stores import rdm_seconds, stage_one_seconds


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The runs of one setting from the cache and with the live teacher, in the same order of seeds."""

    label: str
    """Of the runs from the cache."""
    student: str
    method: str
    cached: tuple[Run, ...]
    live: tuple[Run, ...]
    without: tuple[Run, ...]
    """The same student without a teacher; may be empty."""
    stage_one_s: float | None
    """None if it was not recorded."""
    rdm_s: float | None
    """0 without RDMs; None if it was not recorded."""

    @property
    def seeds(self) -> int:
        """The number of runs of each."""
        return len(self.cached)

    @property
    def epochs(self) -> int:
        """Of one student."""
        return self.cached[0].settings.epochs

    @property
    def speedup(self) -> float:
        """live/cached of the milliseconds of a step, the median over the seeds."""
        return statistics.median(step_ms([live]) / step_ms([own]) for own, live in self._both())

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest ratio of the quartiles over the epochs."""
        (own_low, own_high), (live_low, live_high) = quartiles(self.cached), quartiles(self.live)
        return live_low / own_high, live_high / own_low

    @property
    def memory_ratio(self) -> float | None:
        """live/cached of the device's peak, the median over the seeds; None on a CPU."""
        peaks = [(one.result.peak_memory_bytes, two.result.peak_memory_bytes) for one, two in self._both()]
        ratios = [live / own for own, live in peaks if own and live]
        return statistics.median(ratios) if len(ratios) == len(peaks) else None

    @property
    def costs(self) -> Costs | None:
        """Its seconds; None if the time of stage one or of the RDMs is not known."""
        if self.stage_one_s is None or self.rdm_s is None:
            return None
        return Costs(
            stage_one_s=self.stage_one_s,
            rdm_s=self.rdm_s,
            cached_epoch_s=epoch_seconds(self.cached),
            live_epoch_s=epoch_seconds(self.live),
            epochs=self.epochs,
        )

    @property
    def payoff(self) -> Payoff | None:
        """The break-even; None if it is not known."""
        return None if self.costs is None else payoff(self.costs)

    def _both(self) -> list[tuple[Run, Run]]:
        return list(zip(self.cached, self.live, strict=True))


def pairs(material: Material) -> list[Pair]:
    """All pairs on the same device, with the same teacher and the same views."""
    return [pair for groups in students(material).values() for pair in _pairs(groups, material)]


def _pairs(groups: Sequence[Group], material: Material) -> list[Pair]:
    timed = [group for group in groups if all(run.result.step_ms for run in group.runs)]
    taught = [group for group in timed if group.runs[0].needs_teacher]
    rivals = paired(taught, _key_of_pair, lambda group: group.settings.source)
    same = [(own, live) for own, live in rivals if _same_teacher(own.runs[0], live.runs[0], material)]
    found = [_pair(own, live, timed, material) for own, live in same]
    return [pair for pair in found if pair is not None]


def is_live(group: Group) -> bool:
    """Whether a teacher ran live."""
    return group.runs[0].needs_teacher and group.settings.source == "live"


def _pair(own: Group, other: Group, groups: Sequence[Group], material: Material) -> Pair | None:
    live = {run.settings.seed: run for run in other.runs}
    both = [run for run in own.runs if run.settings.seed in live]
    if not both:
        return None
    first = both[0]
    bare = next((group for group in groups if _is_bare(group, own)), None)
    store = material.store_of(first)
    return Pair(
        label=own.label,
        student=first.settings.student,
        method=first.settings.method,
        cached=tuple(both),
        live=tuple(live[run.settings.seed] for run in both),
        without=() if bare is None else bare.runs,
        stage_one_s=None if store is None or first.target is None else stage_one_seconds(store, first.target),
        rdm_s=0.0 if not first.extras["rdm"] else None if store is None else rdm_seconds(store, first.extras["rdm"]),
    )


def _key_of_pair(group: Group) -> tuple[object, ...]:
    """What both must share: the settings, the device and what they see."""
    record = group.runs[0].record
    return _key(group, "source", "teacher"), record.device, record.view, record.views, record.macs


def _is_bare(group: Group, own: Group) -> bool:
    """Whether it has the same settings, but no teacher."""
    left = ("source", "teacher", "method", "settings", "density_lr", "extras")
    return not group.runs[0].needs_teacher and _key(group, *left) == _key(own, *left)


def _key(group: Group, *without: str) -> str:
    """The settings that both runs of a pair must share."""
    return same_but({**to_json(group.settings), "extras": group.runs[0].extras}, "seed", "store", *without)


def _same_teacher(own: Run, live: Run, material: Material) -> bool:
    """Compared by weights if the store was found, else by name."""
    store, teacher = material.store_of(own), live.record.teacher
    if store is None or own.target is None:
        return bool(_teacher(own) and _teacher(own) == _teacher(live))
    try:
        fields = store.sealed(own.target).fingerprint_fields.get("teacher", {})
    except StoreError:
        return False
    return bool(fields) and fields.get("weights") == (teacher.weights if teacher else None)


def _teacher(run: Run) -> str | None:
    return run.record.store.teacher if run.record.store else None


def step_ms(runs: Sequence[Run]) -> float:
    """The median over runs of their median step times."""
    return statistics.median(run.result.step_ms or 0.0 for run in runs)


def epoch_seconds(runs: Sequence[Run]) -> float:
    """The median over runs of the seconds per epoch, without validation."""
    return statistics.median(run.result.seconds / run.result.epochs for run in runs)


def quartiles(runs: Sequence[Run]) -> tuple[float, float]:
    """Quartiles of the step time in ms over the epochs of some runs; of the runs' medians if epochs have none.

    The first epoch is left out if there are others, as in a run's own `step_ms`: it includes the warm-up.
    """
    epochs = [entry for run in runs for entry in _steady(read_metrics(run.folder))]
    values = [entry.step_ms for entry in epochs if entry.step_ms] or [step_ms(runs)]
    low, high = np.quantile(values, [0.25, 0.75])
    return float(low), float(high)


def _steady(entries: Mapping[int, Epoch]) -> list[Epoch]:
    return [entry for epoch, entry in entries.items() if epoch > 1 or len(entries) == 1]

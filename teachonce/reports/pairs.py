"""Pairs of runs with equal settings, one from the cache and one with the live teacher."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from teachonce.benchmarks.live.payoff import Costs, Payoff, payoff
from teachonce.errors import StoreError
from teachonce.plots.curves import read_metrics
from teachonce.plots.groups import Group
from teachonce.plots.runs import Run
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
        return int(self.cached[0].settings["epochs"])

    @property
    def speedup(self) -> float:
        """live/cached of the milliseconds of a step, the median over the seeds."""
        return statistics.median(
            step_ms([live]) / step_ms([own]) for own, live in zip(self.cached, self.live, strict=True)
        )

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and the largest ratio of the quartiles over the epochs."""
        (own_low, own_high), (live_low, live_high) = quartiles(self.cached), quartiles(self.live)
        return live_low / own_high, live_high / own_low

    @property
    def memory_ratio(self) -> float | None:
        """live/cached of the device's peak, the median over the seeds; None on a CPU."""
        peaks = [(one.result["peak_memory_bytes"], two.result["peak_memory_bytes"]) for one, two in self._both()]
        return None if any(not own or not live for own, live in peaks) else statistics.median(b / a for a, b in peaks)

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
    timed = [group for group in groups if all((run.result.get("step_ms") or 0) > 0 for run in group.runs)]
    live = [group for group in timed if is_live(group)]
    rivals = [(own, other) for own in timed if _is_cached(own) for other in live if _alike(own, other, material)]
    found = [_pair(own, other, timed, material) for own, other in rivals]
    return [pair for pair in found if pair is not None]


def is_live(group: Group) -> bool:
    """Whether a teacher ran live."""
    return group.runs[0].needs_teacher and group.settings["source"] == "live"


def _is_cached(group: Group) -> bool:
    return group.runs[0].needs_teacher and group.settings["source"] == "cached"


def _pair(own: Group, other: Group, groups: Sequence[Group], material: Material) -> Pair | None:
    live = {run.settings["seed"]: run for run in other.runs}
    both = [run for run in own.runs if run.settings["seed"] in live]
    if not both:
        return None
    first = both[0]
    bare = next((group for group in groups if _is_bare(group, own)), None)
    store = material.store_of(first)
    return Pair(
        label=own.label,
        student=str(first.settings["student"]),
        method=str(first.settings["method"]),
        cached=tuple(both),
        live=tuple(live[run.settings["seed"]] for run in both),
        without=() if bare is None else bare.runs,
        stage_one_s=None if store is None or first.target is None else stage_one_seconds(store, first.target),
        rdm_s=0.0 if not first.extras["rdm"] else None if store is None else rdm_seconds(store, first.extras["rdm"]),
    )


def _alike(own: Group, other: Group, material: Material) -> bool:
    one, two = own.runs[0], other.runs[0]
    keys = ("device", "view", "views", "macs")
    same = all(one.description.get(key) == two.description.get(key) for key in keys)
    return (
        same
        and _key(own, "source", "teacher") == _key(other, "source", "teacher")
        and _same_teacher(one, two, material)
    )


def _is_bare(group: Group, own: Group) -> bool:
    """Whether it has the same settings, but no teacher."""
    left = ("source", "teacher", "method", "settings", "density_lr", "extras")
    return not group.runs[0].needs_teacher and _key(group, *left) == _key(own, *left)


def _key(group: Group, *without: str) -> str:
    """The settings that both runs of a pair must share."""
    settings: dict[str, Any] = {**group.settings, "extras": group.runs[0].extras}
    for name in ("seed", "store", *without):
        settings.pop(name, None)
    return json.dumps(settings, sort_keys=True)


def _same_teacher(own: Run, live: Run, material: Material) -> bool:
    """Compared by weights if the store was found, else by name."""
    store, teacher = material.store_of(own), live.description["teacher"] or {}
    if store is None or own.target is None:
        return bool(_teacher(own) and _teacher(own) == _teacher(live))
    try:
        fields: Mapping[str, Any] = store.sealed(own.target).fingerprint_fields.get("teacher", {})
    except StoreError:
        return False
    return bool(fields) and fields.get("weights") == teacher.get("weights")


def _teacher(run: Run) -> Any:
    return (run.description["store"] or {}).get("teacher")


def step_ms(runs: Sequence[Run]) -> float:
    """The median over runs of their median step times."""
    return statistics.median(float(run.result["step_ms"]) for run in runs)


def epoch_seconds(runs: Sequence[Run]) -> float:
    """The median over runs of the seconds per epoch, without validation."""
    return statistics.median(float(run.result["seconds"]) / int(run.result["epochs"]) for run in runs)


def quartiles(runs: Sequence[Run]) -> tuple[float, float]:
    """Quartiles of the step time in ms over the epochs of some runs; of the runs' medians if epochs have none.

    The first epoch is left out if there are others, as in a run's own `step_ms`: it includes the warm-up.
    """
    epochs = [entry for run in runs for entry in _steady(read_metrics(run.folder))]
    values = [float(entry["step_ms"]) for entry in epochs if (entry.get("step_ms") or 0) > 0] or [step_ms(runs)]
    low, high = np.quantile(values, [0.25, 0.75])
    return float(low), float(high)


def _steady(entries: Mapping[int, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [entry for epoch, entry in entries.items() if epoch > 1 or len(entries) == 1]

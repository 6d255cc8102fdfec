"""Training cost against accuracy (CIFD, Saidutta et al., NeurIPS 2024, Fig. 1b), as data: a point a method."""

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from teachonce.errors import DataError, InputError
from teachonce.events import SILENT, Events
from teachonce.plots.macs import PARTS, Ledger
from teachonce.plots.runs import Run, read_runs

Which = Literal["auto", "test", "validation"]
_DIGEST = re.compile("[0-9a-f]{16,}")
COUNTING = "multiply-accumulates of forward passes, each once (no factor for backward passes), of training rows"


@dataclass(frozen=True, kw_only=True)
class CostPoint:
    """Trainings that differ in nothing but the seed."""

    label: str
    student: str
    method: str
    target: str | None
    rdm: tuple[str, ...]
    assistants: tuple[str, ...]
    source: str
    """How they were trained; both costs are given for either."""
    runs: tuple[str, ...]
    accuracies: tuple[float, ...]
    """Shares in [0, 1], one a run."""
    accuracy_mean: float
    accuracy_sd: float | None
    """Over the seeds, n - 1; None of one run."""
    cached_macs: int
    """The mean over the runs, as all below."""
    live_macs: int
    cached_parts: Mapping[str, int]
    """teacher, assistants, rdm, student."""
    live_parts: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """All points of a picture."""

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
    """What finished trainings cost and reached.

    Args:
        places: Runs, or folders with runs below them.
        store: Where the store is now; None: where the runs say.
        student: Points of this student only (all runs are still looked through for assistants); None: all.
        accuracy: `test` (written by `teachonce run`), `validation`, or `auto`: test where every run has it.
        events: Who watches.

    Raises:
        InputError: No such student, or no folder.
        DataError: A run has no such accuracy.
        StoreMissingError: A folder, a run or a store is not there.
        MismatchError: A store is not the one that was trained on.
    """
    known = read_runs(places, events)
    shown = [run for run in known if student in (None, run.settings["student"])]
    if not shown:
        there = ", ".join(sorted({run.settings["student"] for run in known}))
        raise InputError(f"there is no run of student {student!r}, but of {there}", "Choose one of them")
    which = accuracy
    if which == "auto":
        which = "test" if all(run.test_top1 is not None for run in shown) else "validation"
    groups: dict[str, list[Run]] = {}
    for run in shown:
        groups.setdefault(run.group, []).append(run)
    ledger = Ledger(known, store, events)
    students = len({run.settings["student"] for run in shown})
    labels = distinct([(_label(runs[0], with_student=students > 1), runs[0].settings) for runs in groups.values()])
    points = [_point(label, runs, ledger, which) for label, runs in zip(labels, groups.values(), strict=True)]
    return Costs(accuracy=which, counting=COUNTING, points=tuple(sorted(points, key=lambda point: point.cached_macs)))


def _point(label: str, runs: Sequence[Run], ledger: Ledger, which: Which) -> CostPoint:
    first, values = runs[0], [_accuracy(run, which) for run in runs]
    costs = [ledger.cost(run) for run in runs]
    cached = {part: round(statistics.fmean(cost.cached[part] for cost in costs)) for part in PARTS}
    live = {part: round(statistics.fmean(cost.live[part] for cost in costs)) for part in PARTS}
    return CostPoint(
        label=label,
        student=first.settings["student"],
        method=first.settings["method"],
        target=first.target,
        rdm=first.extras["rdm"],
        assistants=first.extras["assistants"],
        source=first.settings["source"],
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
    value = run.test_top1 if which == "test" else run.result["val_top1"]
    if value is None:
        mend = "Evaluate it with `teachonce run`, or use --accuracy validation" if which == "test" else "Leave it out"
        raise DataError(f"{run.folder} has no {which} accuracy", mend)
    return float(value)


def _label(run: Run, *, with_student: bool) -> str:
    """A method with what tells it from others: `kd from assistant-4`, `cifd, 3 RDMs`."""
    words = str(run.settings["method"])
    if run.target not in (None, "teacher"):
        words += f" from {run.target}"
    for kind, singular, plural in (("rdm", "RDM", "RDMs"), ("assistants", "assistant", "assistants")):
        count = len(run.extras[kind])
        words += f", {count} {singular if count == 1 else plural}" if count else ""
    if run.settings["source"] == "live" and run.needs_teacher:
        words += ", live"
    return f"{words} ({run.settings['student']})" if with_student else words


def distinct(labelled: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Labels as they are, or where several are equal with the settings that tell them apart."""
    labels = []
    for index, (label, settings) in enumerate(labelled):
        others = [_flat(given) for name, given in labelled if name == label]
        if len(others) > 1:
            own = _flat(settings)
            telling = ", ".join(f"{key.rpartition('.')[2]} {_shown(own[key])}" for key in _telling(own, others))
            label += f", {telling or f'no. {index + 1}'}"
        labels.append(label)
    return labels


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _telling(own: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings that tell one from all others: at each turn the one in which most of the rest differ, switches first."""
    chosen: list[str] = []
    rest = [other for other in others if any(other.get(key) != own[key] for key in own)]
    while rest:
        ranks = {key: (sum(other.get(key) != own[key] for other in rest), isinstance(own[key], bool)) for key in own}
        chosen.append(max(own, key=lambda key: ranks[key]))
        rest = [other for other in rest if other.get(chosen[-1]) == own[chosen[-1]]]
    return [key for key in own if key in chosen]


def _flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Dotted names and plain values; digests say nothing to people, and the seed does not count."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{above}{key}.")
        elif key != "seed" and not (isinstance(value, str) and _DIGEST.fullmatch(value)):
            flat[above + key] = value
    return flat

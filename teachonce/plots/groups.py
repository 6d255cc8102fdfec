"""Trainings that differ in nothing but the seed, and what tells them from others, in words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachonce.plots.runs import Run

_DIGEST = re.compile("[0-9a-f]{16,}")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs of one setting."""

    label: str
    """No other group has it."""
    runs: tuple[Run, ...]

    @property
    def settings(self) -> Mapping[str, Any]:
        """What all were told, and the first one's seed."""
        return self.runs[0].settings


def grouped(runs: Sequence[Run]) -> list[Group]:
    """Runs by what they have in common, in the order of the first of each."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    students = len({run.settings["student"] for run in runs})
    labels = distinct([(_label(alike[0], with_student=students > 1), alike[0].settings) for alike in groups.values()])
    return [Group(label=label, runs=tuple(alike)) for label, alike in zip(labels, groups.values(), strict=True)]


def _label(run: Run, *, with_student: bool) -> str:
    """A method with what tells it from others: `kd from assistant-4`, `cifd, 3 RDMs`."""
    words = str(run.settings["method"])
    if run.target not in (None, "teacher"):
        words += f" from {run.target}"
    for kind, singular, plural in (("rdm", "RDM", "RDMs"), ("assistants", "assistant", "assistants")):
        count = len(run.extras[kind])
        words += f", {count} {singular if count == 1 else plural}" if count else ""
    initial = run.description.get("init")
    words += "" if initial is None else f", init {Path(initial['source']).name}"
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

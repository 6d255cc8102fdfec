"""Groups of runs that differ only in the seed, and labels that distinguish the groups."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from teachonce.engine.records import Settings
from teachonce.options.alike import grouped_by, same_but
from teachonce.plots.runs import Run
from teachonce.records import to_json
from teachonce.types import JsonObject

_DIGEST = re.compile("[0-9a-f]{16,}")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs with equal settings."""

    label: str
    """Unique among the groups."""
    runs: tuple[Run, ...]

    @property
    def settings(self) -> Settings:
        """The settings of all, with the seed of the first."""
        return self.runs[0].settings


def grouped(runs: Sequence[Run]) -> list[Group]:
    """Group runs by their settings without the seed, in order of first occurrence."""
    groups = grouped_by(runs, lambda run: same_but(to_json(run.settings), "seed"))
    students = len({run.settings.student for run in runs})
    each = [(_label(alike[0], with_student=students > 1), to_json(alike[0].settings)) for alike in groups]
    labels = distinct(each)
    return [Group(label=label, runs=tuple(alike)) for label, alike in zip(labels, groups, strict=True)]


def _label(run: Run, *, with_student: bool) -> str:
    """The method and what distinguishes it: `kd from assistant-4`, `cifd, 3 RDMs`."""
    words = run.settings.method
    if run.target not in (None, "teacher"):
        words += f" from {run.target}"
    for kind, singular, plural in (("rdm", "RDM", "RDMs"), ("assistants", "assistant", "assistants")):
        count = len(run.extras[kind])
        words += f", {count} {singular if count == 1 else plural}" if count else ""
    initial = run.record.init
    words += "" if initial is None else f", init {Path(initial.source).name}"
    if run.settings.source == "live" and run.needs_teacher:
        words += ", live"
    return f"{words} ({run.settings.student})" if with_student else words


def distinct(labelled: Sequence[tuple[str, JsonObject]]) -> list[str]:
    """Labels made unique by the settings in which equal ones differ."""
    labels = []
    for index, (label, settings) in enumerate(labelled):
        others = [_flat(given) for name, given in labelled if name == label]
        if len(others) > 1:
            own = _flat(settings)
            keys = _distinguishing(own, others)
            differing = ", ".join(f"{key.rpartition('.')[2]} {_shown(own[key])}" for key in keys)
            label += f", {differing or f'no. {index + 1}'}"
        labels.append(label)
    return labels


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _distinguishing(own: JsonObject, others: Sequence[JsonObject]) -> list[str]:
    """Settings that distinguish one from all others, chosen greedily: booleans first among equally good ones."""
    chosen: list[str] = []
    rest = [other for other in others if any(other.get(key) != own[key] for key in own)]
    while rest:
        ranks = {key: (sum(other.get(key) != own[key] for other in rest), isinstance(own[key], bool)) for key in own}
        chosen.append(max(own, key=lambda key: ranks[key]))
        rest = [other for other in rest if other.get(chosen[-1]) == own[chosen[-1]]]
    return [key for key in own if key in chosen]


def _flat(settings: JsonObject, above: str = "") -> dict[str, object]:
    """Settings with dotted names in their order, without digests and without the seed."""
    flat: dict[str, object] = {}
    for key, value in sorted(settings.items()):
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{above}{key}.")
        elif key != "seed" and not (isinstance(value, str) and _DIGEST.fullmatch(value)):
            flat[above + key] = value
    return flat

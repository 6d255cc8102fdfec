"""The training costs of a preset: networks built and counted, then multiplied out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from teachonce.benchmarks.macs.costs import COUNTING, Networks, Parts, Schedule, scheme_costs
from teachonce.benchmarks.macs.presets import Preset, Said, find_preset
from teachonce.benchmarks.macs.quantities import quantities
from teachonce.engine.stage_one.contents import versions
from teachonce.errors import InputError
from teachonce.events import SILENT, Events
from teachonce.models.macs import count_macs
from teachonce.models.rdm import RdmSpec
from teachonce.models.students import Student, build_student

KIND, FORMAT = "teachonce.bench-macs", 1
LABELS = {
    "kd": "KD",
    "takd": "TAKD",
    "dgkd": "DGKD",
    "cifd": "CIFD, live teacher",
    "cifd-rdm-cached": "CIFD, cached for the RDMs",
    "cifd-cached": "CIFD, cached",
    "kd-cached": "KD, cached",
}


def bench_macs(  # noqa: PLR0913 - one parameter an option
    *,
    preset: str = "cifd-imagenet",
    rows: int | None = None,
    epochs: int | None = None,
    kd_epochs: int | None = None,
    rdm_epochs: int | None = None,
    rdms: int | None = None,
    assistants: Sequence[str] | None = None,
    assistant_epochs: int | None = None,
    views: int | None = None,
    events: Events = SILENT,
) -> dict[str, Any]:
    """Count what KD, TAKD, DGKD and CIFD cost with live teachers, and CIFD and KD from the cache.

    Nothing is trained or timed. What is None is the preset's; where the paper is silent that is a choice, and said so.

    Args:
        preset: `cifd-imagenet` or `cifd-cnn`.
        rows: Samples of an epoch.
        epochs: Of CIFD's student.
        kd_epochs: Of KD's student.
        rdm_epochs: Of the RDMs.
        rdms: How many RDMs.
        assistants: Networks of TAKD and DGKD, the largest first; see `build_student`.
        assistant_epochs: Of each training of TAKD and DGKD, the student's too.
        views: Stored views: passes of the teacher for the cache.
        events: Who watches.

    Returns:
        An object as JSON has it: `networks` and `schemes`, each counted, by the paper's own constants where it gives
        them, and as the paper says; `quantities`, the numbers on the paper's way to its total.

    Raises:
        InputError: No such preset, or a number that cannot be.
        ModelError: An assistant that cannot be built.
    """
    chosen = find_preset(preset)
    given = {"rows": rows, "epochs": epochs, "kd_epochs": kd_epochs, "rdm_epochs": rdm_epochs, "rdms": rdms}
    given |= {"assistant_epochs": assistant_epochs, "views": views}
    changed = {name: value for name, value in given.items() if value is not None}
    for name, value in changed.items():
        if value < 1:
            raise InputError(f"{name} must be at least 1, got {value}", f"Give another {name}")
    schedule = replace(chosen.schedule, **changed)
    names = tuple(assistants) if assistants is not None else chosen.assistants
    networks = _count(chosen, names, events)
    as_printed = replace(chosen.constants, assistants=networks.assistants) if chosen.constants else None
    return {
        "kind": KIND,
        "format": FORMAT,
        "preset": chosen.name,
        "command": _command(chosen, changed, names),
        "versions": versions(),
        "counting": COUNTING,
        "reference": chosen.reference,
        "settings": {**asdict(schedule), "assistants": list(names)},
        "changed": [*changed, *(["assistants"] if names != chosen.assistants else [])],
        "networks": _networks(chosen, names, networks, as_printed),
        "schemes": _schemes(chosen, networks, as_printed, schedule),
        "cifd_over_kd_at_equal_epochs": _at_equal_epochs(networks, schedule),
        "quantities": quantities(networks, schedule) if chosen.constants else [],
    }


def _count(preset: Preset, assistants: Sequence[str], events: Events) -> Networks:
    """Build each network once and count it."""
    names = (preset.teacher, preset.student, *assistants)
    counted: dict[str, int] = {}
    with events.task("count", total=len(names), unit="networks") as task:
        for name in names:
            student = _build(preset, name)
            counted[name] = count_macs(student, student.input)
            task.advance()
    width = _build(preset, preset.teacher).embedding_dim
    return Networks(
        teacher=counted[preset.teacher],
        student=counted[preset.student],
        rdm=RdmSpec(preset=preset.rdm, embedding_dim=width, classes=preset.classes).macs,
        assistants=tuple(counted[name] for name in assistants),
    )


def _build(preset: Preset, name: str) -> Student:
    return build_student(name, classes=preset.classes, image_size=preset.image_size)


def _networks(
    preset: Preset, assistants: Sequence[str], counted: Networks, as_printed: Networks | None
) -> list[dict[str, Any]]:
    """Each network with its role, what was counted, and what the paper has."""
    paper: Mapping[str, Any] = asdict(as_printed) if as_printed else {}
    counts = asdict(counted)
    names = {"teacher": preset.teacher, "student": preset.student, "rdm": f"RDM of preset {preset.rdm}"}
    roles = [(role, name, counts[role], paper.get(role)) for role, name in names.items()]
    roles += [("assistant", name, macs, None) for name, macs in zip(assistants, counted.assistants, strict=True)]
    return [dict(zip(("role", "name", "macs", "paper"), role, strict=True)) for role in roles]


def _schemes(
    preset: Preset, networks: Networks, as_printed: Networks | None, schedule: Schedule
) -> list[dict[str, Any]]:
    counted = scheme_costs(networks, schedule)
    printed = scheme_costs(as_printed, schedule) if as_printed else None
    return [
        {
            "name": name,
            "label": LABELS[name],
            "parts": dict(parts),
            "macs": sum(parts.values()),
            "ratio": _ratio(counted, name, preset.reference),
            "ratio_to_kd": _ratio(counted, name, "kd"),
            "ratio_to_cifd": _ratio(counted, name, "cifd"),
            "by_paper_constants": None if printed is None else _plain(printed, name, preset.reference),
            "paper": _said(preset.said[name], (printed or counted)[preset.reference]),
            "why": preset.said[name].why,
        }
        for name, parts in counted.items()
    ]


def _plain(costs: Mapping[str, Parts], name: str, reference: str) -> dict[str, Any]:
    return {
        "parts": dict(costs[name]),
        "macs": sum(costs[name].values()),
        "ratio": _ratio(costs, name, reference),
    }


def _said(said: Said, reference: Parts) -> dict[str, Any] | None:
    """What the paper says; where it gives a ratio alone, the cost that follows from it."""
    if not said.text:
        return None
    macs = said.macs if said.macs is not None or said.ratio is None else said.ratio * sum(reference.values())
    return {"text": said.text, "macs": macs, "ratio": said.ratio}


def _ratio(costs: Mapping[str, Parts], name: str, reference: str) -> float:
    return sum(costs[name].values()) / sum(costs[reference].values())


def _at_equal_epochs(networks: Networks, schedule: Schedule) -> float:
    """CIFD over KD where both students train for as many epochs."""
    return _ratio(scheme_costs(networks, replace(schedule, kd_epochs=schedule.epochs)), "cifd", "kd")


def _command(preset: Preset, changed: Mapping[str, int], assistants: Sequence[str]) -> str:
    """The line that makes the same numbers."""
    order = [field.name for field in fields(Schedule) if field.name in changed]
    words = [f"--{name.replace('_', '-')} {changed[name]}" for name in order]
    if tuple(assistants) != preset.assistants:
        words.append(f"--assistants {','.join(assistants)}")
    return " ".join(["teachonce bench macs", f"--preset {preset.name}", *words])

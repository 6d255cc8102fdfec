"""The arithmetic of CIFD's appendix D.2 (Saidutta et al., NeurIPS 2024) on networks that are built and counted.

A backward pass costs about twice a forward one of what is trained, and is left out for every method alike, as there.
Not counted: validation, densities, projectors, activations, and the training of the teacher, which is given.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from macs_presets import Networks, Preset, Schedule, find_preset

from teachonce.benchmarks.origin import origin
from teachonce.benchmarks.parts import MacsBench, MacsCost, MacsNetwork, MacsSaid, Scheme
from teachonce.errors import InputError
from teachonce.models.macs import count_macs
from teachonce.models.rdm import RdmSpec
from teachonce.models.students import Student, build_student

COUNTING = "multiply-accumulates of forward passes, each once (no factor for backward passes), of training rows"
LABELS = {
    "kd": "KD",
    "takd": "TAKD",
    "dgkd": "DGKD",
    "cifd": "CIFD, live teacher",
    "cifd-rdm-cached": "CIFD, cached for the RDMs",
    "cifd-cached": "CIFD, cached",
    "kd-cached": "KD, cached",
}
Parts = Mapping[str, int]
"""Multiply-accumulates of teacher, assistants, rdm and student."""


def bench_macs(  # noqa: PLR0913 - one parameter an option
    *,
    preset: str = "cifd-imagenet",
    rows: int | None = None,
    epochs: int | None = None,
    kd_epochs: int | None = None,
    rdm_epochs: int | None = None,
    rdms: int | None = None,
    assistants: list[str] | None = None,
    assistant_epochs: int | None = None,
    views: int | None = None,
) -> MacsBench:
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

    Returns:
        `networks` and `schemes`, each counted, by the paper's own constants where it gives them, and as the paper says.

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
    names = chosen.assistants if assistants is None else tuple(assistants)
    networks = _count(chosen, names)
    as_printed = replace(chosen.constants, assistants=networks.assistants) if chosen.constants else None
    return MacsBench(
        **vars(origin(MacsBench.kind, torch.device("cpu"))),
        preset=chosen.name,
        counting=COUNTING,
        reference=chosen.reference,
        settings={**vars(schedule), "assistants": names},
        networks=tuple(_networks(chosen, names, networks, as_printed)),
        schemes=tuple(_schemes(chosen, networks, as_printed, schedule)),
    )


def _count(preset: Preset, assistants: Sequence[str]) -> Networks:
    """Build each network once and count it."""
    built = {name: _build(preset, name) for name in (preset.teacher, preset.student, *assistants)}
    counted = {name: count_macs(student, student.input) for name, student in built.items()}
    width = built[preset.teacher].embedding_dim
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
) -> Iterator[MacsNetwork]:
    """Each network with its role, what was counted, and what the paper has."""
    names = {"teacher": preset.teacher, "student": preset.student, "rdm": f"RDM of preset {preset.rdm}"}
    for role, name in names.items():
        yield MacsNetwork(role=role, name=name, macs=getattr(counted, role), paper=getattr(as_printed, role, None))
    for name, macs in zip(assistants, counted.assistants, strict=True):
        yield MacsNetwork(role="assistant", name=name, macs=macs)


def _schemes(preset: Preset, networks: Networks, as_printed: Networks | None, schedule: Schedule) -> Iterator[Scheme]:
    counted = scheme_costs(networks, schedule)
    printed = scheme_costs(as_printed, schedule) if as_printed else None
    for name in counted:
        yield Scheme(
            name=name,
            label=LABELS[name],
            **vars(_cost(counted, name, preset.reference)),
            by_paper_constants=None if printed is None else _cost(printed, name, preset.reference),
            paper=_said(preset, name, (printed or counted)[preset.reference]),
            why=preset.said[name].why,
        )


def _cost(costs: Mapping[str, Parts], name: str, reference: str) -> MacsCost:
    macs = sum(costs[name].values())
    return MacsCost(parts=costs[name], macs=macs, ratio=macs / sum(costs[reference].values()))


def _said(preset: Preset, name: str, reference: Parts) -> MacsSaid | None:
    """What the paper says; where it gives a ratio alone, the cost that follows from it."""
    said = preset.said[name]
    if not said.text:
        return None
    macs = said.macs if said.macs is not None or said.ratio is None else said.ratio * sum(reference.values())
    return MacsSaid(text=said.text, macs=macs, ratio=said.ratio)


def scheme_costs(networks: Networks, schedule: Schedule) -> dict[str, Parts]:
    """What each way to train a student costs.

    Returns:
        Name -> its `Parts`. `kd`, `takd`, `dgkd` and `cifd` run their teachers in every
        epoch; `cifd-rdm-cached` keeps the teacher's outputs for the RDMs' training alone; `cifd-cached` and
        `kd-cached` for everything, and the RDMs' outputs too.
    """
    return {
        "kd": _sum(networks, schedule.rows * schedule.kd_epochs, teacher=1, student=1),
        "takd": _takd(networks, schedule),
        "dgkd": _dgkd(networks, schedule),
        **_cifd(networks, schedule),
        "kd-cached": {
            **_sum(networks, schedule.rows * schedule.views, teacher=1),
            "student": networks.student * schedule.rows * schedule.kd_epochs,
        },
    }


def _takd(networks: Networks, schedule: Schedule) -> Parts:
    """A chain (Mirzadeh et al. 2020): each link runs the network before it and its own; so each assistant twice."""
    samples = schedule.rows * schedule.assistant_epochs
    return _sum(networks, samples, teacher=1, student=1, assistants=[2] * len(networks.assistants))


def _dgkd(networks: Networks, schedule: Schedule) -> Parts:
    """Dense guidance (Son et al. 2021): every stage runs all larger networks and its own."""
    count = len(networks.assistants)
    times = [2 + count - place for place in range(1, count + 1)]  # its own stage, those after it, the student's
    samples = schedule.rows * schedule.assistant_epochs
    return _sum(networks, samples, teacher=count + 1, student=1, assistants=times)


def _cifd(networks: Networks, schedule: Schedule) -> dict[str, Parts]:
    """All RDMs train for `rdm_epochs`, then run beside teacher and student for `epochs`; or are cached as these are."""
    rows, rdms = schedule.rows, schedule.rdms * networks.rdm
    trained = rdms * rows * schedule.rdm_epochs
    student = networks.student * rows * schedule.epochs
    beside, once = rows * schedule.epochs, rows * schedule.views
    live = {
        "teacher": networks.teacher * (rows * schedule.rdm_epochs + beside),
        "assistants": 0,
        "rdm": trained + rdms * beside,
        "student": student,
    }
    return {
        "cifd": live,
        "cifd-rdm-cached": {**live, "teacher": networks.teacher * (once + beside)},
        "cifd-cached": {**live, "teacher": networks.teacher * once, "rdm": trained + rdms * once},
    }


def _sum(
    networks: Networks, samples: int, *, teacher: int = 0, student: int = 0, assistants: list[int] | None = None
) -> dict[str, int]:
    """So many passes of each network over the samples."""
    passes = zip(networks.assistants, assistants or [], strict=bool(assistants))
    return {
        "teacher": teacher * networks.teacher * samples,
        "assistants": samples * sum(macs * times for macs, times in passes),
        "rdm": 0,
        "student": student * networks.student * samples,
    }

"""The arithmetic of CIFD's appendix D.2 (Saidutta et al., NeurIPS 2024): forward passes, each once.

A backward pass costs about twice a forward one of what is trained, and is left out for every method alike, as there.
Not counted: validation, densities, projectors, activations, and the training of the teacher, which is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass

COUNTING = "multiply-accumulates of forward passes, each once (no factor for backward passes), of training rows"
PARTS = ("teacher", "assistants", "rdm", "student")
Parts = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Multiply-accumulates of one sample through each network."""

    teacher: int
    student: int
    rdm: int
    """Of one RDM."""
    assistants: tuple[int, ...]
    """From the largest to the smallest."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How often they run."""

    rows: int
    """N, samples of an epoch."""
    epochs: int
    """Of the student of CIFD."""
    kd_epochs: int
    """Of the student of KD."""
    rdm_epochs: int
    assistant_epochs: int
    """Of each training of TAKD and DGKD: every assistant's and the student's."""
    rdms: int
    """RDMs, which train together: one pass of the teacher serves all."""
    views: int
    """Stored views: so often the teacher runs over the rows for the cache."""


def scheme_costs(networks: Networks, schedule: Schedule) -> dict[str, Parts]:
    """What each way to train a student costs.

    Returns:
        Name -> multiply-accumulates of each of `PARTS`. `kd`, `takd`, `dgkd` and `cifd` run their teachers in every
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

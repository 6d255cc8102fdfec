"""The numbers on the way to CIFD's total, as its appendix D.2 has them for ResNet-34 to ResNet-18 on ImageNet."""

from typing import Any

from teachonce.benchmarks.macs.costs import Networks, Schedule

_ROUNDED = "rounded networks"
_RDM = "1.31 M for an RDM is five layers of 512 x 512; the four and the head that the paper describes have 1.561 M"


def quantities(networks: Networks, schedule: Schedule) -> list[dict[str, Any]]:
    """Each number: its formula, what is counted, what the paper prints, why they differ."""
    rows, rdms = schedule.rows, schedule.rdms * networks.rdm
    both = networks.teacher + networks.student
    table = (
        ("RDM training", "K x RDM x N x E_rdm", rdms * rows * schedule.rdm_epochs, 151e12, _RDM),
        ("teacher in it", "T x N x E_rdm", networks.teacher * rows * schedule.rdm_epochs, 142e15, _ROUNDED),
        ("the same, cached", "T x N x views", networks.teacher * rows * schedule.views, 4.7e15, _ROUNDED),
        ("teacher and student after it", "(T + S) x N x E", both * rows * schedule.epochs, 619e15, _ROUNDED),
        (
            "RDMs beside them",
            "K x RDM x N x E",
            rdms * rows * schedule.epochs,
            0.38e15,
            "by the paper's own constants it is .443 P; .38 P would be 75 epochs of it",
        ),
    )
    return [dict(zip(("name", "formula", "macs", "paper", "why"), line, strict=True)) for line in table]

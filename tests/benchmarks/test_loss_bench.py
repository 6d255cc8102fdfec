"""What `scripts/bench_loss.py` reports, with RDMs in its temporary store and without."""

from typing import Any

import pytest
from bench_loss import bench_loss

from teachonce.benchmarks.parts import LossBench
from teachonce.errors import InputError

VIT = "vit:patch=8,width=32,layers=1,heads=2"


def measured(**options: Any) -> LossBench:
    common = {"teacher": "cnn-2", "data": "digits", "limit": 128, "rounds": 2, "device": "cpu", "workers": 0}
    return bench_loss(**(common | {"student": VIT, "batch_size": 32} | options))


def test_cifd_with_rdms():
    found = measured(method="cifd", distortion_weight=[10, 0.1])
    assert found.rdm == ("rdm-10", "rdm-0.1")
    assert found.loss_parts.keys() == {"ce", "kl", "embedding", "rate", "projector"}
    assert all(part.forward_ms > 0 and part.backward_ms > 0 for part in found.loss_parts.values())


def test_a_method_that_is_one_piece():
    found = measured(method="kd")
    assert found.rdm == ()
    assert found.loss_parts.keys() == {"loss"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "cifdd"}, "no method 'cifdd'"),
        ({"method": "dgkd"}, "needs assistants"),
        ({"method": "kd", "distortion_weight": [1]}, "takes one target"),
        ({"rounds": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_measured_is_said_before_the_teacher_runs(options: dict[str, Any], told: str):
    with pytest.raises(InputError, match=told):
        measured(teacher="no such teacher", **options)

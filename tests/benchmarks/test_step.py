"""What `bench step` reports, with RDMs in its temporary store and without."""

import time
from dataclasses import asdict
from typing import Any

import pytest

from teachonce.benchmarks.step import bench_step
from teachonce.engine import parts
from teachonce.engine.cached import CachedTargets
from teachonce.errors import InputError
from tests.engine.enginekit import digits
from tests.stages.trainkit import Heard

VIT = "vit:patch=8,width=32,layers=1,heads=2"


def measured(**options: Any) -> dict[str, Any]:
    common = {"teacher": "cnn-2", "data": digits(128), "student": VIT, "rounds": 2, "device": "cpu", "workers": 0}
    return asdict(bench_step(**(common | {"batch_size": 32} | options)))


def test_cifd_with_rdms():
    heard = Heard()
    found = measured(
        method="cifd", distortion_weight=[10, 0.1], rdm_epochs=1, settings={"rate_weight": "0.01"}, seed=3, events=heard
    )
    assert found["rdm"] == ["rdm-10", "rdm-0.1"]
    assert found["settings"]["rate_weight"] == 0.01
    assert found["arms"].keys() == {"ce", "constant", "cached", "live"}
    assert found["loss_parts"].keys() == {"ce", "kl", "embedding", "rate", "projector"}
    assert all(part["forward_ms"] > 0 and part["backward_ms"] > 0 for part in found["loss_parts"].values())
    assert any("projected" in info for info in heard.infos)


def test_a_method_that_is_one_piece():
    found = measured(method="kd")
    assert found["rdm"] == []
    assert found["loss_parts"].keys() == {"loss"}


def test_a_method_of_class_means_is_compared_with_a_live_teacher():
    found = measured(method="clip-embed-kd", settings={"learn_scale": "false"}, teacher="cnn-10")
    assert found["live_method"] == "clip-teacher-kd"
    assert found["teacher_ms"] > 1
    assert found["arms"]["live"]["step_ms"] > found["arms"]["cached"]["step_ms"]


def test_what_the_cached_arm_reads_it_reads_in_its_own_time(monkeypatch: pytest.MonkeyPatch):
    read = CachedTargets.read
    monkeypatch.setattr(parts, "device_budget", lambda _: 0)
    monkeypatch.setattr(CachedTargets, "read", lambda *given: (time.sleep(0.2), read(*given))[1])
    arms = measured(method="kd", rounds=5)["arms"]
    assert arms["cached"]["step_ms"] - arms["constant"]["step_ms"] > 150


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "ce"}, "no teacher to compare with"),
        ({"method": "dgkd"}, "targets of other models"),
        ({"method": "kd", "distortion_weight": [1]}, "takes one target"),
        ({"method": "cifd", "settings": {"ratio": 1}}, "no setting 'ratio'"),
        ({"method": "cifdd"}, "no method 'cifdd'"),
        ({"rounds": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_measured_is_said_before_the_teacher_runs(options: dict[str, Any], told: str):
    with pytest.raises(InputError, match=told):
        measured(teacher="no such teacher", **options)

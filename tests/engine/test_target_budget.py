"""How much of the device's memory cached targets take, and that what is read from the map is checked all the same."""

from pathlib import Path

import pytest
import torch

from teachonce.cache.store import Store
from teachonce.engine import parts
from teachonce.engine.optim import OptimConfig
from teachonce.engine.rows import all_digests
from teachonce.engine.session import Session, open_session
from teachonce.engine.settings import TrainConfig
from teachonce.errors import CorruptError
from teachonce.events import SILENT
from tests.engine.enginekit import digits, make_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path / "s.zarr")


def opened(store: Store, **changed: object) -> Session:
    settings = {"method": "kd", "student": "cnn-2", "batch_size": 32, "device": "cpu", "precision": "float32"}
    config = TrainConfig(out=store.path.parent / "run", store=store.path, **(settings | changed))
    return open_session(config, digits(), store, digests=all_digests(digits(), SILENT))


def test_targets_take_a_twentieth_of_the_student_and_its_optimiser(store: Store):
    session = opened(store)
    weights = sum(p.nbytes for p in session.stepper.student.parameters())
    assert session.target_budget == int(0.05 * 3 * weights)
    assert session.stepper.source.tier == "resident"  # 200 rows of 10 logits
    plain = opened(store, optim=OptimConfig(optimizer="sgd", momentum=0))
    assert plain.target_budget == int(0.05 * weights)


def test_larger_ones_are_read_from_the_map(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parts, "TARGET_SHARE", 1e-4)
    assert opened(store).stepper.source.tier == "mapped"


def test_no_more_than_the_device_has(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parts, "device_budget", lambda device: 7)
    assert opened(store).target_budget == 7


@pytest.mark.parametrize("verified", [0, 1 << 20])
def test_mapped_targets_are_checked_before_the_first_step(store: Store, monkeypatch: pytest.MonkeyPatch, verified: int):
    monkeypatch.setattr(parts, "TARGET_SHARE", 0.0)
    monkeypatch.setattr(parts, "_VERIFIED", verified)
    chunk = store.path / "targets" / "teacher" / "logits" / "c" / "1" / "0" / "0"
    chunk.write_bytes(bytes(chunk.stat().st_size))
    if not verified:  # too large to be read twice: its size is right, and no more is asked
        assert opened(store).stepper.source.tier == "mapped"
        return
    with pytest.raises(CorruptError, match=r"logits/c/1/0/0"):
        opened(store)


@pytest.mark.parametrize(("optim", "states"), [({}, 2), ({"optimizer": "sgd"}, 1), ({"momentum": 0.0}, 2)])
def test_values_that_an_optimiser_keeps(optim: dict[str, object], states: int):
    config = OptimConfig(**optim)
    weight = torch.nn.Parameter(torch.ones(3))
    made = torch.optim.AdamW([weight]) if config.optimizer == "adamw" else torch.optim.SGD([weight], momentum=0.9)
    weight.grad = torch.ones(3)
    made.step()
    kept = [value for value in made.state[weight].values() if torch.is_tensor(value) and value.shape == weight.shape]
    assert config.states == states == len(kept)

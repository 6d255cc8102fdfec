"""How much of the device's memory cached targets take, and that what is read from the map is checked all the same."""

from pathlib import Path

import pytest
import torch

from teachonce.cache.store import Store
from teachonce.engine import parts
from teachonce.engine.rows import all_digests
from teachonce.engine.session import Session, open_session
from teachonce.errors import CorruptError
from teachonce.events import SILENT
from teachonce.options.optim import OptimOptions
from teachonce.options.train import TrainOptions
from tests.engine.enginekit import digits, make_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path / "s.zarr")


def opened(store: Store, epoch_rows: int | None = None, **changed: object) -> Session:
    settings = {"method": "kd", "student": "cnn-2", "batch_size": 32, "device": "cpu", "precision": "float32"}
    config = TrainOptions(data="digits", out=store.path.parent / "run", store=store.path, **(settings | changed))
    return open_session(config, digits(), store, digests=all_digests(digits(), SILENT), epoch_rows=epoch_rows)


def tier(*given: object, **changed: object) -> str:
    return opened(*given, **changed).stepper.source.targets["teacher"].tier


@pytest.mark.parametrize(
    ("optim", "times"), [({}, 3), ({"optimizer": "sgd"}, 2), ({"optimizer": "sgd", "momentum": 0.0}, 1)]
)
def test_targets_take_a_twentieth_of_the_student_and_its_optimiser(
    store: Store, monkeypatch: pytest.MonkeyPatch, optim: dict[str, object], times: int
):
    session = opened(store, **optim)
    kept = session.stepper.source.size / (times * sum(p.nbytes for p in session.stepper.student.parameters()))
    assert (session.stepper.source.targets["teacher"].tier, kept < 0.05) == ("resident", True)  # 200 rows of 10 logits
    for share, place in ((1.01 * kept, "resident"), (0.99 * kept, "mapped")):
        monkeypatch.setattr(parts, "TARGET_SHARE", share)
        assert tier(store, **optim) == place


def test_no_more_than_the_device_has(store: Store, monkeypatch: pytest.MonkeyPatch):
    size = opened(store).stepper.source.size
    for budget, place in ((size, "resident"), (size - 1, "mapped")):
        monkeypatch.setattr(parts, "device_budget", lambda device, budget=budget: budget)
        assert tier(store) == place


def test_a_few_rows_targets_lie_where_those_of_an_epoch_would(store: Store, monkeypatch: pytest.MonkeyPatch):
    size = opened(store).stepper.source.size
    monkeypatch.setattr(parts, "device_budget", lambda device: 10 * size)
    assert [tier(store, epoch_rows=rows) for rows in (2000, 2001)] == ["resident", "mapped"]  # of 200


def test_mapped_targets_are_checked_before_the_first_step(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parts, "TARGET_SHARE", 0.0)
    chunk = store.path / "targets" / "teacher" / "logits" / "c" / "1" / "0" / "0"
    chunk.write_bytes(bytes(chunk.stat().st_size))
    with pytest.raises(CorruptError, match=r"logits/c/1/0/0"):
        opened(store)


@pytest.mark.parametrize(("optim", "states"), [({}, 2), ({"optimizer": "sgd"}, 1), ({"momentum": 0.0}, 2)])
def test_values_that_an_optimiser_keeps(optim: dict[str, object], states: int):
    config = OptimOptions(**optim)
    weight = torch.nn.Parameter(torch.ones(3))
    made = torch.optim.AdamW([weight]) if config.optimizer == "adamw" else torch.optim.SGD([weight], momentum=0.9)
    weight.grad = torch.ones(3)
    made.step()
    kept = [value for value in made.state[weight].values() if torch.is_tensor(value) and value.shape == weight.shape]
    assert config.states == states == len(kept)

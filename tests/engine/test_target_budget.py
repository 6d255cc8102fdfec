"""How much of the device's memory cached targets take, and that what is read from the map is checked all the same."""

from pathlib import Path

import pytest

from teachonce.cache.store import Store
from teachonce.engine import parts
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


def test_no_more_than_the_device_has(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parts, "device_budget", lambda device: 7)
    assert opened(store).target_budget == 7


@pytest.mark.parametrize("verified", [0, 1 << 20])
def test_mapped_targets_are_checked_before_the_first_step(store: Store, monkeypatch: pytest.MonkeyPatch, verified: int):
    monkeypatch.setattr(parts, "device_budget", lambda device: 0)
    monkeypatch.setattr(parts, "_VERIFIED", verified)
    chunk = store.path / "targets" / "teacher" / "logits" / "c" / "1" / "0" / "0"
    chunk.write_bytes(bytes(chunk.stat().st_size))
    if not verified:  # too large to be read twice: its size is right, and no more is asked
        assert opened(store).stepper.source.tier == "mapped"
        return
    with pytest.raises(CorruptError, match=r"logits/c/1/0/0"):
        opened(store)

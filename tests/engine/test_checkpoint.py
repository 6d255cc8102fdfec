"""Checkpoints: what goes in comes out, and a kill or a full disk leaves the one before."""

import errno
from pathlib import Path

import pytest
import torch
from torch import nn

from teachonce.engine import checkpoint
from teachonce.engine.optim import make_optimizer
from teachonce.engine.records import Progress
from teachonce.errors import CorruptError, DiskError
from teachonce.options.optim import OptimOptions
from teachonce.processwide import random_state, set_random_state

CPU = torch.device("cpu")


def save(folder, value, state=None):
    checkpoint.save_checkpoint(folder, {"model": {"w": torch.full((2,), value)}, "method": {}}, state or Progress())


def load(folder):
    parts, state = checkpoint.load_checkpoint(folder, ["model"], Progress)
    return float(parts["model"]["w"][0]), state


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_round_trip_and_replacement(tmp_path):
    assert checkpoint.load_checkpoint(tmp_path / "last", ["model"], Progress) is None
    save(tmp_path / "last", 1.0)
    save(tmp_path / "last", 2.0, Progress(epoch=2, best=(0.5, -1.0)))
    assert load(tmp_path / "last") == (2.0, Progress(epoch=2, best=(0.5, -1.0)))
    assert names(tmp_path) == ["last"]
    assert names(tmp_path / "last") == ["method.safetensors", "model.safetensors", "state.json"]


def test_tied_weights_are_saved_apart(tmp_path):
    tied = torch.ones(3)
    checkpoint.save_checkpoint(tmp_path / "last", {"model": {"a": tied, "b": tied, "c": tied[::2]}}, Progress())
    parts, _ = checkpoint.load_checkpoint(tmp_path / "last", ["model"], Progress)
    assert [len(parts["model"][name]) for name in "abc"] == [3, 3, 2]


def test_the_moment_between_two_renames(tmp_path):
    """Set aside, and the new one not yet in place: the old one counts, and is not lost by the next save either."""
    save(tmp_path / "last", 1.0)
    (tmp_path / "last").rename(tmp_path / "last.previous")
    assert load(tmp_path / "last")[0] == 1.0
    (tmp_path / "last").rename(tmp_path / "last.previous")
    save(tmp_path / "last", 2.0)
    assert load(tmp_path / "last")[0] == 2.0
    assert names(tmp_path) == ["last"]


def test_what_was_set_aside_is_removed_where_the_new_one_is_in_place(tmp_path):
    save(tmp_path / "last", 1.0)
    (tmp_path / "last").rename(tmp_path / "last.previous")
    (tmp_path / "last.previous" / "model.safetensors").unlink()  # killed while it was removed
    save(tmp_path / "new", 2.0)
    (tmp_path / "new").rename(tmp_path / "last")
    assert load(tmp_path / "last")[0] == 2.0
    assert names(tmp_path) == ["last"]


def test_a_full_disk_keeps_the_old_one(tmp_path, monkeypatch):
    save(tmp_path / "last", 1.0)

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(DiskError, match="No space left"):
        save(tmp_path / "last", 2.0)
    assert load(tmp_path / "last")[0] == 1.0
    assert names(tmp_path) == ["last"]


@pytest.mark.parametrize("name", ["model.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_told(tmp_path, name):
    save(tmp_path / "last", 1.0)
    path = tmp_path / "last" / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CorruptError, match="cannot be read"):
        checkpoint.load_checkpoint(tmp_path / "last", ["model"], Progress)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_an_optimiser_goes_on_bit_for_bit(name):
    def train(model, optimizer, steps):
        for step in steps:
            model(torch.full((1, 3), float(step))).pow(2).sum().backward()
            optimizer.step()
            optimizer.zero_grad()

    def fresh():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
        return model, make_optimizer(OptimOptions(optimizer=name, lr=0.1), [model])

    model, optimizer = fresh()
    train(model, optimizer, range(6))
    half, half_optimizer = fresh()
    train(half, half_optimizer, range(3))
    again, again_optimizer = fresh()
    again.load_state_dict(half.state_dict())
    checkpoint.load_optimizer(again_optimizer, checkpoint.own_tensors(checkpoint.optimizer_tensors(half_optimizer)))
    train(again, again_optimizer, range(3, 6))
    for ours, theirs in zip(again.parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_random_state_goes_on():
    torch.manual_seed(5)
    states = random_state(CPU)
    first = torch.rand(3)
    set_random_state(states, CPU)
    assert torch.equal(torch.rand(3), first)


def test_no_pickle_anywhere():
    source = Path(checkpoint.__file__).read_text()
    assert "pickle" not in source
    assert "torch.save" not in source

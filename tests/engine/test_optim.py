"""Parameter groups and learning rates."""

import math

import pytest
import torch
from torch import nn

from teachonce.engine.optim import learning_rate, make_optimizer, set_rate
from teachonce.errors import InputError
from teachonce.models.ibm import Ibm
from teachonce.options.make import make
from teachonce.options.optim import OptimOptions
from teachonce.options.train import TrainOptions


def rates(config, epochs=4, steps=10):
    return [learning_rate(config, step, steps, epochs) for step in range(epochs * steps)]


def test_cosine_with_warmup():
    got = rates(OptimOptions(lr=2.0, warmup_epochs=1))
    assert got[:10] == pytest.approx([0.2 * (k + 1) for k in range(10)])
    assert got[10] == pytest.approx(2.0)
    assert got[25] == pytest.approx(1.0)
    assert got[-1] == pytest.approx(1 + math.cos(math.pi * 29 / 30))


def test_milestones_and_constant():
    got = rates(OptimOptions(lr=1.0, schedule="milestones", milestones=(1, 3), gamma=0.1))
    assert got == pytest.approx([1.0] * 10 + [0.1] * 20 + [0.01] * 10)
    assert set(rates(OptimOptions(lr=0.5, schedule="constant"))) == {0.5}


def test_warmup_of_a_fraction_of_an_epoch():
    got = rates(OptimOptions(lr=1.0, warmup_epochs=0.2, schedule="constant"))
    assert got[:3] == [0.5, 1.0, 1.0]


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_no_decay_on_biases_norms_and_scalars(name):
    module = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2), nn.Conv2d(1, 1, 1))
    module.register_parameter("scale", nn.Parameter(torch.tensor(1.0)))
    decayed, plain = make_optimizer(
        OptimOptions(optimizer=name, weight_decay=0.3), [module, nn.ModuleDict()]
    ).param_groups
    assert decayed["weight_decay"] == 0.3
    assert plain["weight_decay"] == 0
    assert [p.ndim for p in decayed["params"]] == [2, 4]
    assert sorted(p.ndim for p in plain["params"]) == [0, 1, 1, 1, 1]


def test_tied_and_frozen_parameters():
    linear = nn.Linear(2, 2)
    linear.bias.requires_grad_(False)
    optimizer = make_optimizer(OptimOptions(), [linear, linear])
    assert [len(group["params"]) for group in optimizer.param_groups] == [1]


@pytest.mark.parametrize(
    "bad",
    [
        {"lr": 0.0},
        {"lr": float("nan")},
        {"optimizer": "adam"},
        {"schedule": "linear"},
        {"schedule": "milestones"},
        {"clip_norm": 0.0},
        {"gamma": 0.0},
        {"density_lr": 0.0},
        {"weight_decay": -1.0},
        {"warmup_epochs": float("inf")},
    ],
)
def test_bad_settings(bad):
    with pytest.raises(InputError) as caught:
        make(TrainOptions, {"data": "digits", "student": "cnn-2", "out": "run", **bad}).check_optimiser()
    assert caught.value.mend


@pytest.mark.parametrize(("given", "scale"), [(OptimOptions(), 10.0), (OptimOptions(optimizer="sgd"), 1.0)])
def test_densities_move_at_a_rate_of_their_own(given: OptimOptions, scale: float):
    linear, ibm = torch.nn.Linear(2, 2), Ibm(2)
    optimizer = make_optimizer(given, [linear, ibm])
    set_rate(optimizer, 0.5)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert {rates[id(p)] for p in linear.parameters()} == {0.5}
    assert {rates[id(p)] for p in ibm.parameters()} == {0.5 * scale}
    assert OptimOptions(density_lr=3.0).density_scale == 3.0

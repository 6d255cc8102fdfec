"""Draws of a step: by seed, step and purpose alone."""

import pytest
import torch

from teachonce.models.draws import Draws

CPU = torch.device("cpu")


def drawn(seed: int = 3, step: int = 7, purpose: str = "a", rows: int = 50) -> torch.Tensor:
    return Draws(seed).uniform((rows, 4), step=step, purpose=purpose, device=CPU)


def test_the_same_whatever_was_drawn_before():
    draws, state = Draws(3), torch.random.get_rng_state()
    for step in (0, 7):
        draws.uniform((9,), step=step, purpose="other", device=CPU)
    assert torch.equal(draws.uniform((50, 4), step=7, purpose="a", device=CPU), drawn())
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("other", [{"seed": 4}, {"step": 8}, {"purpose": "b"}])
def test_others_are_independent(other: dict):
    first, second = drawn(rows=5000).flatten(), drawn(rows=5000, **other).flatten()
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.03


def test_uniform():
    values = drawn(rows=5000)
    assert values.dtype == torch.float32
    assert 0 <= values.min() < 0.01
    assert 0.99 < values.max() < 1


def test_a_device_without_values():
    assert Draws(0).uniform((3, 2), step=0, purpose="a", device=torch.device("meta")).shape == (3, 2)

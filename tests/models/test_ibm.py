"""The student's bottleneck: noise and a rate in training, nothing in use."""

import math

import pytest
import torch

from teachonce.models.draws import Draws
from teachonce.models.ibm import Ibm

CPU = torch.device("cpu")


def test_the_worked_number():
    ibm = Ibm(2).double()
    ibm.density.biases.data.zero_()
    rate = ibm.nats(torch.tensor([[0.3, -1.2], [2.1, 0.4]], dtype=torch.float64))
    assert rate.shape == (2,)
    assert rate.mean().item() == pytest.approx(7.385785, abs=1e-6)
    assert rate.mean().item() / math.log(2) == pytest.approx(10.655435, abs=1e-6)


def test_uniform_noise_in_training():
    embedding, drawn = torch.randn(500, 64), Draws(0).uniform((500, 64), step=0, purpose="test", device=CPU)
    noise = Ibm(64)(embedding, drawn) - embedding
    assert noise.abs().max() <= 0.5 + 1e-5
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert noise.var().item() == pytest.approx(1 / 12, rel=0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_identity_in_use_without_rounding(dtype: torch.dtype):
    embedding = torch.randn(5, 8).to(dtype)
    out = Ibm(8)(embedding)
    assert out.dtype == torch.float32
    assert torch.equal(out, embedding.float())


def test_the_rate_teaches_backbone_and_density():
    ibm, embedding = Ibm(3), torch.randn(16, 3, requires_grad=True)
    ibm.nats(ibm(embedding, torch.rand(16, 3))).mean().backward()
    assert embedding.grad is not None
    assert (embedding.grad != 0).all()
    assert all((parameter.grad != 0).any() for parameter in ibm.parameters())

"""Rate-distortion modules: layers of the paper, a stack against its members, training and use."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from teachonce.errors import ModelError
from teachonce.methods.rate_distortion import RdmLoss, rdm_loss
from teachonce.models.rdm import RdmSpec, RdmStack
from tests.alike import assert_alike

SPECS = {
    "cnn": RdmSpec(preset="cnn", embedding_dim=512, classes=100),
    "r34": RdmSpec(preset="r34", embedding_dim=512, classes=1000),
    "r50": RdmSpec(preset="r50", embedding_dim=2048, classes=1000),
    "general": RdmSpec(embedding_dim=20, classes=7, hidden=12),
    "general, no head": RdmSpec(embedding_dim=20),
}
MACS = {
    "cnn": 459_416,
    "r34": 4 * 512**2 + 512 * 1000,
    "r50": 2 * 2048 * 1024 + 2 * 1024**2 + 2048 * 1000,
    "general": 2 * 20 * 12 + 2 * 12**2 + 20 * 7,
    "general, no head": 4 * 20**2,
}
SMALL = RdmSpec(embedding_dim=12, classes=5, hidden=8, activation="gelu")


def test_the_papers_numbers():
    assert (MACS["cnn"], MACS["r34"]) == (SPECS["cnn"].macs, SPECS["r34"].macs) == (459_416, 1_560_576)


@pytest.mark.parametrize("name", SPECS)
def test_multiply_accumulates_are_counted(name: str):
    """The density's own are not in the paper's count: they are taken off here."""
    stack = RdmStack(SPECS[name]).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        out = stack(torch.zeros(1, SPECS[name].embedding_dim))
    with torch.no_grad(), FlopCounterMode(display=False) as density:
        stack.density.nats(out.latent)
    assert (counter.get_total_flops() - density.get_total_flops()) / 2 == SPECS[name].macs == MACS[name]


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("noisy", [True, False])
def test_shapes(name: str, noisy: bool):
    spec, batch = SPECS[name], 3
    noise = torch.rand(batch, spec.units) if noisy else None
    out = RdmStack(spec, count=2)(torch.randn(batch, spec.embedding_dim), noise)
    assert out.latent.shape == (2, batch, spec.units)
    assert out.nats.shape == (2, batch)
    assert (out.embedding is not None) == spec.reconstructs
    assert (out.logits is not None) == (spec.classes is not None)
    if out.embedding is not None:
        assert out.embedding.shape == (2, batch, spec.embedding_dim)
    if out.logits is not None:
        assert out.logits.shape == (2, batch, spec.classes)


def test_the_layers_one_after_the_other():
    """By hand, in the order of the paper: no activation at the bottleneck, none on the reconstruction."""
    stack, x = RdmStack(SMALL, count=2, seed=3).eval(), torch.randn(6, 12)
    out = stack(x)
    weights = [(layer.weight[1], layer.bias[1]) for layer in stack.layers]
    one, two, three, four, head = (lambda h, w=w, b=b: h @ w.T + b for w, b in weights)
    latent = torch.round(two(torch.nn.functional.gelu(one(x))))
    embedding = four(torch.nn.functional.gelu(three(latent)))
    torch.testing.assert_close(out.latent[1], latent)
    torch.testing.assert_close(out.embedding[1], embedding)
    torch.testing.assert_close(out.logits[1], head(embedding))
    torch.testing.assert_close(out.nats[1], stack.density.nats(out.latent)[1].sum(-1))


def test_head_is_the_one_that_makes_the_logits():
    stack = RdmStack(SMALL, count=3).eval()
    for parameter in stack.parameters():
        parameter.data += torch.randn_like(parameter) / 10
    out = stack(torch.randn(4, 12))
    for k in range(3):
        weight, bias = stack.head(k)
        assert (weight.shape, bias.shape, weight.requires_grad) == ((5, 12), (5,), False)
        torch.testing.assert_close(out.embedding[k] @ weight.T + bias, out.logits[k])


@pytest.mark.parametrize("name", ["cnn", "general, no head"])
def test_no_head(name: str):
    with pytest.raises(ModelError, match="no linear head"):
        RdmStack(SPECS[name]).head(0)


class TestNoise:
    def test_rounded_in_use(self):
        stack, x = RdmStack(SMALL).eval(), 20 * torch.randn(50, 12)
        first, second = stack(x), stack(x)
        assert torch.equal(first.latent, first.latent.round())
        assert first.latent.unique().numel() > 3
        assert_alike(first.embedding, second.embedding)

    def test_halves_round_to_even(self):
        stack = RdmStack(RdmSpec(embedding_dim=4)).eval()
        stack.layers[1].weight.data.zero_()
        stack.layers[1].bias.data = torch.tensor([[-1.5, -0.5, 0.5, 1.5]])
        assert stack(torch.zeros(1, 4)).latent[0, 0].tolist() == [-2, 0, 0, 2]

    def test_one_draw_of_unit_width_for_all_in_training(self):
        stack, x = RdmStack(SMALL, count=3), torch.randn(2000, 12)
        drawn = torch.rand(2000, stack.spec.units)
        noise = stack(x, drawn).latent - stack.layers[1](torch.nn.functional.gelu(stack.layers[0](x.T))).mT
        torch.testing.assert_close(noise[0], noise[2], rtol=0, atol=1e-5)
        torch.testing.assert_close(noise[0], drawn - 0.5, rtol=0, atol=1e-5)
        assert noise.abs().max() <= 0.5 + 1e-5
        assert noise.var().item() == pytest.approx(1 / 12, rel=0.05)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_float32_whatever_comes_and_under_autocast(dtype: torch.dtype):
    stack, x = RdmStack(SMALL).eval(), torch.randn(4, 12).to(dtype)
    expected = stack(x.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = stack(x)
    for name in ("latent", "nats", "embedding", "logits"):
        assert getattr(out, name).dtype == torch.float32
        assert_alike(getattr(out, name), getattr(expected, name))


class TestStack:
    def test_all_start_equal_from_the_seed_alone(self):
        torch.manual_seed(1)
        stack = RdmStack(SMALL, count=3, seed=5).state_dict()
        torch.manual_seed(2)
        alone = RdmStack(SMALL, seed=5).state_dict()
        assert stack.keys() == alone.keys()
        for name, value in alone.items():
            assert torch.equal(stack[name], value.expand_as(stack[name])), name
        other = RdmStack(SMALL, seed=6).state_dict()
        assert not torch.equal(other["layers.0.weight"], alone["layers.0.weight"])

    @pytest.mark.parametrize(
        "spec", [SMALL, RdmSpec(preset="cnn", embedding_dim=12, classes=5)], ids=["general", "cnn"]
    )
    def test_a_member_is_the_same_trained_alone(self, spec: RdmSpec):
        settings = RdmLoss.for_preset(spec.preset)
        together = train(RdmStack(spec, count=3), settings, [10.0, 5.0, 1.0])
        for k, weight in enumerate((10.0, 5.0, 1.0)):
            alone = train(RdmStack(spec, count=1), settings, [weight])
            torch.testing.assert_close(together.one(k).state_dict(), alone.state_dict(), rtol=1e-4, atol=1e-6)
        start, moved = RdmStack(spec).state_dict(), together.one(0).state_dict()
        assert all(not torch.allclose(start[name], moved[name], rtol=1e-3) for name in start)

    def test_one_is_a_copy(self):
        stack = train(RdmStack(SMALL, count=2), RdmLoss(), [10.0, 1.0]).eval()
        x = torch.randn(4, 12)
        expected = stack(x)
        alone = stack.one(1)
        assert not alone.training
        torch.testing.assert_close(alone(x).embedding[0], expected.embedding[1])
        torch.testing.assert_close(alone(x).nats[0], expected.nats[1])
        for parameter in alone.parameters():
            parameter.data.zero_()
        assert_alike(stack(x).embedding, expected.embedding)


def train(stack: RdmStack, settings: RdmLoss, weights: list[float], steps: int = 8) -> RdmStack:
    """Some steps of plain gradient descent; the noise comes from the global generator."""
    torch.manual_seed(11)
    optimizer = torch.optim.SGD(stack.parameters(), lr=2e-3)
    for _ in range(steps):
        x, logits, labels = 3 * torch.randn(16, 12), torch.randn(16, 5), torch.randint(5, (16,))
        terms = rdm_loss(
            stack(x, torch.rand(16, stack.spec.units)),
            x,
            logits,
            labels,
            weights=torch.tensor(weights),
            settings=settings,
        )
        optimizer.zero_grad()
        terms["total"].sum().backward()
        optimizer.step()
    return stack


def test_a_larger_weight_on_distortion_gives_a_higher_rate_and_less_distortion():
    torch.manual_seed(0)
    x = torch.randn(256, 4) @ torch.randn(4, 12) * 3
    weights = torch.tensor([0.03, 0.3, 3.0])
    stack = RdmStack(RdmSpec(embedding_dim=12, hidden=16), count=3)
    optimizer = torch.optim.Adam(stack.parameters(), lr=1e-2)
    settings = RdmLoss()

    def terms(*, noisy: bool) -> dict[str, Tensor]:
        noise = torch.rand(len(x), stack.spec.units) if noisy else None
        return rdm_loss(stack(x, noise), x, None, None, weights=weights, settings=settings)

    for _ in range(200):
        optimizer.zero_grad()
        terms(noisy=True)["total"].sum().backward()
        optimizer.step()
    stack.eval()
    found = {name: value.tolist() for name, value in terms(noisy=False).items()}
    assert found["rate"] == sorted(found["rate"])
    assert found["distortion"] == sorted(found["distortion"], reverse=True)
    assert found["rate"][2] > 2 * found["rate"][0] > 0
    assert found["distortion"][0] > 4 * found["distortion"][2]


class TestSpec:
    @pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
    def test_json(self, spec: RdmSpec):
        assert RdmSpec.from_json(spec.to_json()) == spec

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"preset": "r18"}, "no RDM preset 'r18'"),
            ({"activation": "swish"}, "no activation 'swish'"),
            ({"preset": "cnn", "classes": None}, "number of classes is unknown"),
            ({"preset": "r34", "hidden": 256}, "fixes its width, got hidden 256"),
            ({"hidden": 0}, "hidden of an RDM must be a positive integer, got 0"),
            ({"embedding_dim": -4}, "embedding_dim of an RDM"),
            ({"classes": 2.5}, "classes of an RDM"),
        ],
    )
    def test_refused(self, fields: dict[str, Any], message: str):
        with pytest.raises(ModelError, match=message) as caught:
            RdmSpec(**{"embedding_dim": 8, "classes": 3, **fields})
        assert caught.value.mend

    def test_json_of_something_else(self):
        with pytest.raises(ModelError, match="has preset"):
            RdmSpec.from_json({"preset": "cnn", "width": 3})

"""The factorised density: worked numbers, gradients, fits to known distributions from near and far."""

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from teachonce.models.cumulative import nats
from teachonce.models.density import FactorizedDensity
from teachonce.processwide import seeded
from tests.alike import assert_alike

CHUNKS = pytest.mark.parametrize("chunk", [0, 16, 56, 16384], ids=["kept", "chunks of 2", "chunks of 7", "one chunk"])


def bits(nats: Tensor) -> Tensor:
    return nats / math.log(2)


def near(values: list[float]) -> object:
    return pytest.approx(values, abs=1e-6)


def random_density(units: int, stack: int | None = None, dtype: torch.dtype = torch.float64) -> FactorizedDensity:
    with seeded(3):
        density = FactorizedDensity(units, stack=stack).to(dtype)
        for parameter in density.parameters():
            parameter.data += torch.randn_like(parameter) / 2
    return density


def drawn(*shape: int, scale: float = 4.0, dtype: torch.dtype = torch.float64) -> Tensor:
    return scale * torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(5))


class TestWorkedNumbers:
    def test_it_starts_as_a_logistic_of_scale_10(self):
        density = FactorizedDensity(2).double()
        density.biases.data.zero_()
        y = torch.zeros(1, 2, dtype=torch.float64)
        assert density.likelihood(y)[0].tolist() == near([0.024995] * 2)
        assert bits(density.nats(y))[0].tolist() == near([5.322229] * 2)
        far = torch.tensor([[-37.0, 20.0]], dtype=torch.float64)
        assert density.cumulative(far)[0].tolist() == near([-3.7, 2.0])

    @staticmethod
    def small_prior() -> FactorizedDensity:
        density = FactorizedDensity(1, widths=(2,)).double()
        for parameter, raw in (
            (density.matrices, [0.5, -0.2, 0.3, -0.1]),
            (density.biases, [0.1, -0.3, 0.05]),
            (density.factors, [0.4, -0.6]),
        ):
            assert parameter.shape == (1, len(raw))
            parameter.data = torch.tensor([raw], dtype=torch.float64)
        return density

    def test_the_small_prior(self):
        density, y = self.small_prior(), torch.tensor([[-1.0], [0.3], [2.0]], dtype=torch.float64)
        assert density.cumulative(y - 0.5)[:, 0].tolist() == near([-1.880714, -0.194841, 1.880631])
        assert density.cumulative(y + 0.5)[:, 0].tolist() == near([-0.600796, 1.084295, 3.018780])
        assert density.likelihood(y)[:, 0].tolist() == near([0.221855, 0.295863, 0.085732])
        assert bits(density.nats(y))[:, 0].tolist() == near([2.172312, 1.757001, 3.544026])
        assert density.nats(y).sum().item() == near(5.180124)

    def test_the_small_prior_rounded(self):
        y = torch.tensor([[-1.0], [0.3], [2.0]], dtype=torch.float64).round()
        assert bits(self.small_prior().nats(y))[:, 0].tolist() == near([2.172312, 1.648312, 3.544026])

    def test_parameters_a_unit(self):
        assert sum(parameter.numel() for parameter in FactorizedDensity(512).parameters()) == 29_696


class TestGradients:
    @CHUNKS
    @pytest.mark.parametrize("over", ["samples", "batch means"])
    def test_of_the_hand_written_backward(self, chunk: int, over: str):
        """Batch means have a gradient that is equal over the batch, for which a CPU has the answer ready."""
        density = random_density(3)
        parameters = (density.matrices, density.biases, density.factors)

        def rates(y: Tensor, *parameters: Tensor) -> Tensor:
            found = nats(y, *parameters, widths=density.widths, chunk=chunk)
            return found if over == "samples" else found.mean(1)

        assert gradcheck(rates, (drawn(3, 4).requires_grad_(), *parameters))

    def test_of_other_widths(self):
        density = FactorizedDensity(2, widths=(2, 4)).double()
        y = drawn(3, 2).requires_grad_()
        assert gradcheck(lambda y, *_: density.nats(y), (y, *density.parameters()))

    @pytest.mark.parametrize("name", ["cumulative", "likelihood", "nats"])
    def test_of_a_stack(self, name: str):
        density = random_density(2, stack=3)
        y = drawn(3, 2, 2).requires_grad_()
        assert gradcheck(lambda y, *_: getattr(density, name)(y), (y, *density.parameters()))

    @CHUNKS
    @pytest.mark.parametrize("weigh", [False, True])
    def test_as_plain_autograd_in_float32(self, chunk: int, weigh: bool):
        density, y = random_density(9, dtype=torch.float32), drawn(6, 9, dtype=torch.float32).requires_grad_()
        weight = torch.rand(6, 9) if weigh else torch.ones(6, 1)
        parameters = (density.matrices, density.biases, density.factors)
        by_hand = nats(y.T, *parameters, widths=density.widths, chunk=chunk).T
        plain = -density.likelihood(y).log()
        assert plain.max() < 20
        torch.testing.assert_close(by_hand, plain, rtol=1e-5, atol=1e-5)
        inputs = (y, *parameters)
        found = torch.autograd.grad((weight * by_hand).sum(), inputs)
        torch.testing.assert_close(found, torch.autograd.grad((weight * plain).sum(), inputs), rtol=2e-4, atol=2e-5)

    def test_twice_through_one_graph(self):
        density, y = random_density(3), drawn(4, 3).requires_grad_()
        for chunk in (0, 16):
            rates = nats(y.T, density.matrices, density.biases, density.factors, widths=density.widths, chunk=chunk)
            for weight in (torch.ones(3, 4), torch.rand(3, 4)):
                first, second = (torch.autograd.grad((weight * rates).sum(), y, retain_graph=True)[0] for _ in "ab")
                assert_alike(first, second, rtol=1e-6)

    @pytest.mark.parametrize("y", [-1e6, -3e3, 400.0, 1e6])
    def test_far_tails_have_a_floor_and_still_a_gradient(self, y: float):
        """log(sigmoid(u) - sigmoid(l)) has none there; the slope of a logistic's tail is 1 / scale."""
        density = FactorizedDensity(1)
        density.biases.data.zero_()
        at = torch.tensor([[y]], requires_grad=True)
        rate = density.nats(at)
        assert rate.item() == pytest.approx(-math.log(1e-9))
        assert density.likelihood(at).item() == pytest.approx(1e-9)
        rate.backward()
        assert at.grad.item() == pytest.approx(math.copysign(0.1, y), rel=1e-4)
        assert density.biases.grad[0, -1].abs() == pytest.approx(1.0, rel=1e-4)

    def test_a_flat_cumulative_gives_no_infinity(self):
        density = FactorizedDensity(3)
        density.matrices.data -= 30
        y = drawn(8, 3, dtype=torch.float32).requires_grad_()
        density.nats(y).sum().backward()
        for tensor in (y, *density.parameters()):
            assert tensor.grad.isfinite().all()


class TestDtypesAndShapes:
    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
    def test_float32_whatever_comes_and_under_autocast(self, dtype: torch.dtype):
        density, y = FactorizedDensity(4), drawn(8, 4, dtype=torch.float32).to(dtype)
        expected = density.nats(y.float())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = density.nats(y)
            assert density.cumulative(y).dtype == density.likelihood(y).dtype == torch.float32
            (gradient,) = torch.autograd.grad(found.mean(), density.matrices)
        assert_alike(found, expected)
        assert_alike(gradient, torch.autograd.grad(expected.mean(), density.matrices)[0])

    def test_float64_where_y_is(self):
        assert FactorizedDensity(4).nats(drawn(8, 4)).dtype == torch.float64

    @pytest.mark.parametrize("name", ["cumulative", "likelihood", "nats"])
    def test_a_stack_is_its_densities_side_by_side(self, name: str):
        density, y = random_density(5, stack=3), drawn(3, 7, 5)
        together = getattr(density, name)(y)
        for k in range(3):
            alone = FactorizedDensity(5).double()
            alone.load_state_dict({key: value[k] for key, value in density.state_dict().items()})
            torch.testing.assert_close(together[k], getattr(alone, name)(y[k]))

    def test_a_stack_starts_equal(self):
        with seeded(7):
            density = FactorizedDensity(5, stack=3)
        with seeded(7):
            alone = FactorizedDensity(5)
        for key, value in alone.state_dict().items():
            assert torch.equal(density.state_dict()[key], value.expand(3, *value.shape)), key

    def test_without_a_graph(self):
        density, y = random_density(5), drawn(7, 5)
        expected = density.nats(y)
        with torch.no_grad():
            assert_alike(density.nats(y), expected, rtol=1e-9)
        with torch.inference_mode():
            assert_alike(density.nats(y), expected, rtol=1e-9)


Peaks = list[tuple[float, float, float]]
"""Weight, mean and standard deviation of each normal distribution of a mixture."""

FITS: dict[str, Peaks] = {
    "normal": [(1, 0, 3)],
    "far away": [(1, 60, 3)],
    "ten times the initial width": [(1, 0, 100)],
    "density far away": [(1, 0, 3)],
    "two peaks": [(0.5, -10, 2), (0.5, 12, 3)],
}
STEPS, BATCH = 700, 256


def masses(peaks: Peaks) -> tuple[Tensor, Tensor]:
    """Integers, and the exact probability of each after rounding."""
    ends = [mean + side * 9 * deviation for _, mean, deviation in peaks for side in (-1, 1)]
    k = torch.arange(math.floor(min(ends)), math.ceil(max(ends)) + 1)
    edges = [[(e - m) / (s * math.sqrt(2)) for e in (k - 0.5).tolist()] for _, m, s in peaks]
    below = [[w * (1 + math.erf(e)) / 2 for e in row] for (w, _, _), row in zip(peaks, edges, strict=True)]
    cumulative = torch.tensor([*map(sum, zip(*below, strict=True)), 1.0], dtype=torch.float64)
    return k, cumulative.diff()


def sample(peaks: Peaks, generator: torch.Generator) -> Tensor:
    weights, means, deviations = torch.tensor(peaks, dtype=torch.float32).T
    which = torch.multinomial(weights, 20_000, replacement=True, generator=generator)
    return means[which] + deviations[which] * torch.randn(20_000, generator=generator)


@pytest.fixture(scope="module")
def fitted() -> FactorizedDensity:
    """One unit a distribution, in two stacks: fitted to samples with uniform noise, and to rounded samples."""
    generator = torch.Generator().manual_seed(1)
    data = torch.stack([sample(peaks, generator) for peaks in FITS.values()], 1)
    with seeded(0):
        density = FactorizedDensity(len(FITS), stack=2)
    density.biases.data[:, list(FITS).index("density far away"), -1] += 30  # its median is at -300
    optimizer = torch.optim.Adam(density.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=STEPS, pct_start=0.1)
    for _ in range(STEPS):
        y = data[torch.randint(len(data), (BATCH,), generator=generator)]
        noisy = y + torch.rand(y.shape, generator=generator) - 0.5
        density.nats(torch.stack([noisy, y.round()])).mean(1).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    return density.double().requires_grad_(False)


class TestFits:
    """How a density is used on integers, after it was trained with noise or on integers."""

    def test_the_true_entropy(self):
        _, p = masses(FITS["normal"])
        entropy = -torch.special.xlogy(p, p).sum().item() / math.log(2)
        assert p.sum().item() == pytest.approx(1)
        assert entropy == pytest.approx(math.log2(3 * math.sqrt(2 * math.pi * math.e)), abs=0.01)  # about 3.63

    @pytest.mark.parametrize("trained", ["with noise", "on integers"])
    @pytest.mark.parametrize("name", FITS)
    def test_bits_and_likelihoods(self, fitted: FactorizedDensity, name: str, trained: str):
        k, p = masses(FITS[name])
        at = (["with noise", "on integers"].index(trained), slice(None), list(FITS).index(name))
        y = k.double()[None, :, None].expand(2, -1, len(FITS))
        entropy = -torch.special.xlogy(p, p).sum() / math.log(2)
        assert (p * bits(fitted.nats(y))[at]).sum().item() == pytest.approx(entropy.item(), abs=0.02)
        difference = (fitted.likelihood(y)[at] - p).abs()
        assert difference.sum() / 2 < 0.05
        assert difference.max() < 0.1 * p.max()

    def test_an_unfitted_density_fails(self):
        k, p = masses(FITS["normal"])
        rate = bits(FactorizedDensity(1).nats(k.double()[:, None]))[:, 0]
        assert (p * rate).sum().item() > 5

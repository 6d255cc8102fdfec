"""Two computations of the same values: equal within rounding, where their sums may run in another order."""

import torch
from torch import Tensor, nn


def assert_alike(got: Tensor, expected: Tensor, rtol: float = 1e-4) -> None:
    """Equal to `rtol` of the largest value, which must be one that means something: no 1e-35, no NaN."""
    largest = expected.detach().abs().max().item()
    assert 1e-3 < largest < 1e6
    torch.testing.assert_close(got, expected, rtol=rtol, atol=rtol * largest)


def differ(first: Tensor, second: Tensor) -> bool:
    """Whether two outputs differ by more than rounding."""
    return bool((first - second).abs().max() > 1e-2 * first.abs().max())


def settled(network: nn.Module, pixels: Tensor) -> nn.Module:
    """The network in eval mode, its batch norms with the statistics of `pixels`.

    Fresh ones do nothing, and through the layers of a deep network its outputs shrink to 1e-35.
    """
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(pixels)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return network.eval()

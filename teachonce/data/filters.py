"""PIL's resampling filters, and the whole-number weights they give, for a batch of boxes at once, on any device.

The arithmetic is that of Pillow's `Resample.c` (`precompute_coeffs`, `normalize_coeffs_8bpc`): double precision,
support widened by the scale when shrinking (antialiasing), weights normalised at the edges, then rounded to 22-bit
fixed point.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from teachonce.errors import InputError

PRECISION_BITS = 22


def _box(x: Tensor) -> Tensor:
    return ((x > -0.5) & (x <= 0.5)).to(x.dtype)


def _bilinear(x: Tensor) -> Tensor:
    return (1 - x.abs()).clamp_(min=0)


def _hamming(x: Tensor) -> Tensor:
    x = x.abs()
    turns = x * math.pi
    # single-precision constants, as PIL has them
    inside = turns.sin() / turns * (0.5400000214576721 + 0.46000000834465027 * turns.cos())
    return torch.where(x < 1, torch.where(x == 0, 1, inside), 0)


def _bicubic(x: Tensor) -> Tensor:
    x = x.abs()
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = (((x - 5) * x + 8) * x - 4) * -0.5
    return torch.where(x < 1, near, torch.where(x < 2, far, 0))


def _lanczos(x: Tensor) -> Tensor:
    # torch.sinc is sin(pi x) / (pi x), and 1 at 0
    return torch.where((x >= -3) & (x < 3), torch.sinc(x) * torch.sinc(x / 3), 0)


@dataclass(frozen=True)
class Filter:
    """One of PIL's filters: its weight at a distance in output pixels, and where it ends."""

    weight: Callable[[Tensor], Tensor]
    support: float
    antialias: bool = True


FILTERS = {
    "nearest": Filter(_box, 0.5, antialias=False),
    "box": Filter(_box, 0.5),
    "bilinear": Filter(_bilinear, 1.0),
    "hamming": Filter(_hamming, 1.0),
    "bicubic": Filter(_bicubic, 2.0),
    "lanczos": Filter(_lanczos, 3.0),
}


def find_filter(name: str) -> Filter:
    """A filter by its name.

    Raises:
        InputError: No such filter.
    """
    if name not in FILTERS:
        raise InputError(f"expected a resampling filter ({', '.join(FILTERS)}), got {name!r}", "Use one of these")
    return FILTERS[name]


def taps(kind: Filter, largest_scale: float, longest: int) -> int:
    """The most input pixels that one output pixel depends on, for input pixels per output pixel and an input length."""
    reach = kind.support * (max(1.0, largest_scale) if kind.antialias else 1.0)
    return min(longest, math.ceil(reach) * 2 + 1)


def fixed_weights(kind: Filter, centre: Tensor, scale: Tensor, length: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The weights of one axis for each image of a batch.

    Output pixels whose centre lies outside the image get no weight at all: black, as centre crops pad.

    Args:
        kind: The filter.
        centre: float64 (B, out), where the centre of each output pixel lies, in pixels of the image.
        scale: float64 (B,), input pixels per output pixel.
        length: int64 (B,), the image's length along this axis, pixels.
        count: As `taps` gives it.

    Returns:
        The first input pixel of each output pixel, int64 (B, out), and the weights of the `count` pixels from there,
        float64 (B, out, count), whole numbers in units of 2^-22. Every pixel that has a weight lies in the image.
    """
    stretch = (scale.clamp(min=1) if kind.antialias else torch.ones_like(scale))[:, None]
    first = (centre - kind.support * stretch + 0.5).long().clamp_(min=0)
    last = torch.minimum((centre + kind.support * stretch + 0.5).long(), length[:, None])
    start = torch.minimum(first, length[:, None] - count).clamp_(min=0)
    pixel = start[..., None] + torch.arange(count, device=centre.device)
    inside = (pixel >= first[..., None]) & (pixel < last[..., None])
    inside &= ((centre > 0) & (centre < length[:, None]))[..., None]
    distance = (pixel - centre[..., None] + 0.5) * (1 / stretch)[..., None]
    weight = torch.where(inside, kind.weight(distance), 0)
    total = weight.sum(-1, keepdim=True)
    weight = torch.where(total != 0, weight / total, weight) * 2**PRECISION_BITS
    return start, torch.trunc(weight + torch.where(weight < 0, -0.5, 0.5))

"""Views as pixels: separable resampling of a batch on its device, out = Wy X Wx^T, in PIL's whole-number arithmetic.

Weights are 22-bit fixed point and pixels whole numbers, so the products are exact sums of integers: the result does not
depend on the device, the batch size or the order of summation, and equals what `PIL.Image.resize` gives. A weight is
split into a high and a low part of 12 bits or less, so that single precision (and TF32 with it) holds every product.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from teachonce.data.filters import PRECISION_BITS, Filter, find_filter, fixed_weights, taps
from teachonce.data.geometry import Geometry
from teachonce.data.rules import installed_rule
from teachonce.data.views import TURNS
from teachonce.types import InputSpec, Resizing

_LOW_BITS = 12
_HIGH_UNIT = 2.0 ** (_LOW_BITS - PRECISION_BITS)
_LARGEST_CHUNK = {"cpu": 1 << 22, "cuda": 1 << 26}  # elements of a float32 intermediate

Axis = tuple[Tensor, Tensor]
"""High and low weights of one axis, each float32 (B, out, in)."""
Window = tuple[slice, slice]
"""The rows and columns of the images that have a weight."""
Weights = tuple[Window, tuple[Axis, Axis]]
"""The window, and the weights of its rows and columns."""


def render(
    images: Tensor,
    params: np.ndarray | Tensor,
    spec: InputSpec,
    sizes: np.ndarray | Tensor | None = None,
    rule: Resizing | None = None,
) -> Tensor:
    """Draw one view of each image as a model's input.

    Args:
        images: uint8 (B, H, W, 3), on any device.
        params: float32 (B, 6), see `teachonce.data.views`. Keep it on the host: a device tensor is copied back.
        spec: Size, filter, mean and std of the model's input.
        sizes: Integers (B, 2), the real height and width where images are padded at the bottom and the right; None:
            all are H x W. On the host, as `params`.
        rule: How views are resized: a store's own; None: as the installed Pillow does.

    Returns:
        float32 (B, 3, spec.height, spec.width), normalised, on the images' device.
    """
    return normalise(render_bytes(images, params, spec, sizes, rule), spec)


def normalise(pixels: Tensor, spec: InputSpec) -> Tensor:
    """Whole-number pixels (B, 3, h, w) in 0..255 as float32, (x / 255 - mean) / std."""
    scale, shift = _affine(spec.mean, spec.std, pixels.device)
    if pixels.device.type == "cpu":
        return torch.mul(pixels, scale).add_(shift)  # twice as fast as the fused form there
    return torch.addcmul(shift, pixels, scale)


def render_bytes(
    images: Tensor,
    params: np.ndarray | Tensor,
    spec: InputSpec,
    sizes: np.ndarray | Tensor | None = None,
    rule: Resizing | None = None,
) -> Tensor:
    """As `render`, before mean and std: uint8 (B, 3, spec.height, spec.width)."""
    host, kept = _host(params, np.float32), rule or installed_rule()
    full = np.full((len(host), 2), images.shape[1:3], np.int64)
    real = full if sizes is None else _host(sizes, np.int64)
    turns = np.rint(host[:, TURNS]).astype(np.int64) % 4
    if not turns.any():
        return _render(images, host, (spec.height, spec.width), spec.filter, real, kept)
    out = torch.empty((len(host), 3, spec.height, spec.width), dtype=torch.uint8, device=images.device)
    for turn in np.unique(turns):
        rows = np.flatnonzero(turns == turn)
        shape = (spec.width, spec.height) if turn % 2 else (spec.height, spec.width)
        index = torch.from_numpy(rows).to(images.device, non_blocking=True)
        part = _render(images[index], host[rows], shape, spec.filter, real[rows], kept)
        out[index] = part.rot90(int(turn), (2, 3))
    return out


def _render(
    images: Tensor, params: np.ndarray, out: tuple[int, int], filter_name: str, sizes: np.ndarray, rule: Resizing
) -> Tensor:
    whole = (sizes == images.shape[1:3]).all()
    if whole and images.shape[1:3] == out and (params[:, :5] == (0, 0, 1, 1, 0)).all():
        return images.permute(0, 3, 1, 2).contiguous()
    drawn = torch.empty((len(params), 3, *out), dtype=torch.uint8, device=images.device)
    with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        for rows, (window, axes), columns_first in _passes(images, params, out, filter_name, sizes, rule):
            place = _place(rows, images.device)
            resampled = _resample(images[place][:, *window], *axes, columns_first=columns_first)
            drawn[place] = resampled.to(torch.uint8)  # drops the fraction
    return drawn


def _passes(
    images: Tensor, params: np.ndarray, out: tuple[int, int], filter_name: str, sizes: np.ndarray, rule: Resizing
) -> Iterator[tuple[np.ndarray, Weights, bool]]:
    """Rows that are resampled together, how, and whether the lines come second."""
    every = np.arange(len(params))
    if len(params) and (params == params[0]).all() and (sizes == sizes[0]).all():
        size = tuple(sizes[0].tolist())
        weights, columns_first = _shared_axes(params[0].tobytes(), size, out, filter_name, rule, images.device)
        yield from ((part, weights, columns_first) for part in _parts(every, images, out))
        return
    geometry = Geometry.of(params, sizes, out, rule)
    for columns_first in np.unique(geometry.columns_first).tolist():
        for part in _parts(every[geometry.columns_first == columns_first], images, out):
            yield part, _axes(geometry[part], out, filter_name, images.device), columns_first


def _parts(rows: np.ndarray, images: Tensor, out: tuple[int, int]) -> list[np.ndarray]:
    """Rows in parts, of each of which an intermediate is not too large."""
    area = max(images.shape[1], out[0]) * max(images.shape[2], out[1])
    step = max(1, _largest(images) // (3 * area))
    return [rows[start : start + step] for start in range(0, len(rows), step)]


def _place(rows: np.ndarray, device: torch.device) -> slice | Tensor:
    """Rows as an index, without a copy where they are consecutive."""
    first, last = int(rows[0]), int(rows[-1]) + 1
    return slice(first, last) if last - first == len(rows) else torch.from_numpy(rows).to(device, non_blocking=True)


def _largest(images: Tensor) -> int:
    return _LARGEST_CHUNK.get(images.device.type, 1 << 24)


def _resample(images: Tensor, rows: Axis, columns: Axis, *, columns_first: bool) -> Tensor:
    """One axis, rounded to whole numbers, then the other: uint8 (B, h, w, 3) as (B, 3, h', w')."""
    if columns_first:
        between = _first_pass(images, rows, _columns, cut=2, joined=3)
        return _lines(between, columns).permute(0, 2, 1, 3)
    between = _first_pass(images, columns, _lines, cut=1, joined=1)
    return _columns(between, rows).permute(0, 2, 1, 3)


def _first_pass(
    images: Tensor, weights: Axis, along: Callable[[Tensor, Axis], Tensor], *, cut: int, joined: int
) -> Tensor:
    """Along one axis, in strips of the other where the images are very large: float32 (B, height, 3, width)."""
    length = images.shape[cut]
    step = max(1, _largest(images) * length // max(1, images.numel()))
    strips = []
    for start in range(0, length, step):
        strip = images.narrow(cut, start, min(step, length - start)).permute(0, 1, 3, 2)
        strips.append(along(strip.to(torch.float32, memory_format=torch.contiguous_format), weights).floor_())
    return strips[0] if len(strips) == 1 else torch.cat(strips, joined)


def _lines(pixels: Tensor, columns: Axis) -> Tensor:
    """Along each line of (B, height, 3, width); one matrix that all share makes one product."""
    batch, height, _, width = pixels.shape
    lines = pixels.reshape(len(columns[0]), -1, width)
    return _rounded((lines, columns[0].mT), (lines, columns[1].mT)).reshape(batch, height, 3, -1)


def _columns(pixels: Tensor, rows: Axis) -> Tensor:
    """Across the lines of (B, height, 3, width)."""
    batch, height, _, width = pixels.shape
    lines = pixels.reshape(batch, height, -1)
    high, low = (weight.expand(batch, -1, -1) for weight in rows)
    return _rounded((high, lines), (low, lines)).reshape(batch, -1, 3, width)


def _rounded(high: tuple[Tensor, Tensor], low: tuple[Tensor, Tensor]) -> Tensor:
    """(high * 2^12 + low + half) / 2^22 of two batched products, clamped to 0..255; each step is exact in float32."""
    half = high[0].new_full((1, 1, 1), 2.0 ** (PRECISION_BITS - 1 - _LOW_BITS))
    carry = torch.baddbmm(half, *low).floor_()
    return torch.baddbmm(carry, *high, beta=_HIGH_UNIT, alpha=_HIGH_UNIT).clamp_(0, 255)


def _axes(geometry: Geometry, out: tuple[int, int], filter_name: str, device: torch.device) -> Weights:
    """The part of the images that has a weight, and the weights of its rows and columns."""
    kind = find_filter(filter_name)
    table = np.stack(
        [geometry.low, geometry.scale, geometry.first, geometry.length, geometry.flip], -1, dtype=np.float64
    )
    lifted = torch.from_numpy(table).to(device, non_blocking=True)
    counts = [_count(kind, geometry, axis) for axis in (0, 1)]
    windows = _window(geometry, 0, out[0], counts[0]), _window(geometry, 1, out[1], counts[1])
    centres = [_centres(kind, geometry, axis, out[axis], lifted[axis]) for axis in (0, 1)]
    if counts[0] == counts[1] and windows[0] == windows[1] and out[0] == out[1]:  # both at once: half the kernels
        both = _axis(kind, torch.cat(centres), lifted.reshape(-1, 5), windows[0], counts[0])
        (row_high, column_high), (row_low, column_low) = (weight.chunk(2) for weight in both)
        return windows, ((row_high, row_low), (column_high, column_low))
    rows, columns = (_axis(kind, centres[axis], lifted[axis], windows[axis], counts[axis]) for axis in (0, 1))
    return windows, (rows, columns)


def _count(kind: Filter, geometry: Geometry, axis: int) -> int:
    return taps(kind, float(geometry.scale[axis].max()), int(geometry.length[axis].max()))


def _window(geometry: Geometry, axis: int, out: int, count: int) -> slice:
    """Where the pixels that have a weight lie, with a few around them."""
    low, scale, first, length = (part[axis] for part in (geometry.low, geometry.scale, geometry.first, geometry.length))
    ends = low + (first + 0.5) * scale, low + (first + out - 0.5) * scale
    longest = int(length.max())
    start = int(np.clip(np.floor(np.minimum(ends[0], length).min()) - count - 1, 0, longest - 1))
    return slice(start, int(np.clip(np.ceil(max(0.0, ends[1].max())) + count + 1, start + 1, longest)))


def _centres(kind: Filter, geometry: Geometry, axis: int, out: int, lifted: Tensor) -> Tensor:
    """float64 (B, out)."""
    if not kind.antialias:
        return torch.from_numpy(geometry.nearest(axis, out)).to(lifted.device)
    low, scale, first, _, flip = (part[:, None] for part in lifted.unbind(1))
    index = torch.arange(out, device=lifted.device)
    return low + (first + torch.where(flip > 0, out - 1 - index, index) + 0.5) * scale


def _axis(kind: Filter, centre: Tensor, lifted: Tensor, window: slice, count: int) -> Axis:
    start, weight = fixed_weights(kind, centre, lifted[:, 1], lifted[:, 3].long(), count)
    index = start[..., None] + torch.arange(-window.start, count - window.start, device=centre.device)
    coarse = torch.round(weight / 2**_LOW_BITS)
    parts = (coarse, weight / 2**_LOW_BITS - coarse)
    dense = weight.new_zeros((2, *weight.shape[:2], window.stop - window.start), dtype=torch.float32)
    for part, values in zip(dense, parts, strict=True):
        part.scatter_(2, index, values.float())
    return dense[0], dense[1]


@lru_cache(maxsize=64)
def _shared_axes(
    params: bytes, size: tuple[int, int], out: tuple[int, int], filter_name: str, rule: Resizing, device: torch.device
) -> tuple[Weights, bool]:
    """The weights of one box that a whole batch shares, kept: the evaluation view of images of one size."""
    view = np.frombuffer(params, np.float32).reshape(1, 6)
    geometry = Geometry.of(view, np.array([size], np.int64), out, rule)
    with torch.inference_mode(mode=False):  # kept tensors must serve training too
        return _axes(geometry, out, filter_name, device), bool(geometry.columns_first[0])


@lru_cache(maxsize=64)
def _affine(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    with torch.inference_mode(mode=False):
        middle, spread = (torch.tensor(values, dtype=torch.float64) for values in (mean, std))
        scale, shift = 1 / (255 * spread), -middle / spread
        return scale.float().reshape(1, 3, 1, 1).to(device), shift.float().reshape(1, 3, 1, 1).to(device)


def _host(values: np.ndarray | Tensor, dtype: type) -> np.ndarray:
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    return array.astype(dtype, copy=False)

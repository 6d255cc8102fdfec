"""Views as pixels: separable resampling of a batch on its device, out = Wy X Wx^T, in PIL's whole-number arithmetic.

Weights are 22-bit fixed point and pixels whole numbers, so the products are exact sums of integers: the result does not
depend on the device, the batch size or the order of summation, and equals what `PIL.Image.resize` gives. A weight is
split into a high and a low part of 12 bits or less, so that single precision (and TF32 with it) holds every product.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from teachonce.data.filters import PRECISION_BITS, find_filter, fixed_weights, taps
from teachonce.data.views import FLIP, TURNS, X0, X1, Y0, Y1
from teachonce.types import InputSpec

_LOW_BITS = 12
_HIGH_UNIT = 2.0 ** (_LOW_BITS - PRECISION_BITS)
_LARGEST_CHUNK = {"cpu": 1 << 22, "cuda": 1 << 26}  # elements of a float32 intermediate

Axis = tuple[Tensor, Tensor]
"""High and low weights of one axis, each float32 (B, out, in)."""


def render(
    images: Tensor, params: np.ndarray | Tensor, spec: InputSpec, sizes: np.ndarray | Tensor | None = None
) -> Tensor:
    """Draw one view of each image as a model's input.

    Args:
        images: uint8 (B, H, W, 3), on any device.
        params: float32 (B, 6), see `teachonce.data.views`. Keep it on the host: a device tensor is copied back.
        spec: Size, filter, mean and std of the model's input.
        sizes: Integers (B, 2), the real height and width where images are padded at the bottom and the right; None:
            all are H x W. On the host, as `params`.

    Returns:
        float32 (B, 3, spec.height, spec.width), normalised, on the images' device.
    """
    return normalise(render_bytes(images, params, spec, sizes), spec)


def normalise(pixels: Tensor, spec: InputSpec) -> Tensor:
    """Whole-number pixels (B, 3, h, w) in 0..255 as float32, (x / 255 - mean) / std."""
    scale, shift = _affine(spec.mean, spec.std, pixels.device)
    if pixels.device.type == "cpu":
        return torch.mul(pixels, scale).add_(shift)  # twice as fast as the fused form there
    return torch.addcmul(shift, pixels, scale)


def render_bytes(
    images: Tensor, params: np.ndarray | Tensor, spec: InputSpec, sizes: np.ndarray | Tensor | None = None
) -> Tensor:
    """As `render`, before mean and std: uint8 (B, 3, spec.height, spec.width)."""
    host = _host(params, np.float32)
    full = np.full((len(host), 2), images.shape[1:3], np.int64)
    real = full if sizes is None else _host(sizes, np.int64)
    turns = np.rint(host[:, TURNS]).astype(np.int64) % 4
    if not turns.any():
        return _render(images, host, spec.height, spec.width, spec.filter, real)
    out = torch.empty((len(host), 3, spec.height, spec.width), dtype=torch.uint8, device=images.device)
    for turn in np.unique(turns):
        rows = np.flatnonzero(turns == turn)
        shape = (spec.width, spec.height) if turn % 2 else (spec.height, spec.width)
        index = torch.from_numpy(rows).to(images.device, non_blocking=True)
        part = _render(images[index], host[rows], *shape, spec.filter, real[rows])
        out[index] = part.rot90(int(turn), (2, 3))
    return out


def _render(images: Tensor, params: np.ndarray, height: int, width: int, filter_name: str, sizes: np.ndarray) -> Tensor:
    whole = (sizes == images.shape[1:3]).all()
    if whole and images.shape[1:3] == (height, width) and (params[:, :5] == (0, 0, 1, 1, 0)).all():
        return images.permute(0, 3, 1, 2).contiguous()
    alike = len(params) > 0 and bool((params == params[0]).all() and (sizes == sizes[0]).all())
    out = torch.empty((len(params), 3, height, width), dtype=torch.uint8, device=images.device)
    boxes = _boxes(params, sizes)
    area = max(images.shape[1], height) * max(images.shape[2], width)
    step = max(1, _LARGEST_CHUNK.get(images.device.type, 1 << 24) // (3 * area))
    with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        for start in range(0, len(params), step):
            part = slice(start, start + step)
            if alike:
                shape = (images.shape[1], images.shape[2], 3)
                axes = _shared_axes(boxes[:, 0].tobytes(), shape, height, width, filter_name, images.device)
            else:
                axes = _axes(np.ascontiguousarray(boxes[:, part]), images, height, width, filter_name)
            out[part] = _resample(images[part], *axes)
    return out


def _resample(images: Tensor, rows: Axis, columns: Axis) -> Tensor:
    batch, height, width, _ = images.shape
    pixels = images.permute(0, 1, 3, 2).to(torch.float32, memory_format=torch.contiguous_format)
    # PIL's order (Pillow 13 turns it round where height shrinks far more): along each line, rounded to whole numbers,
    # then across the lines. One matrix that all share makes one product.
    lines = pixels.reshape(len(columns[0]), -1, width)
    high, low = columns[0].mT, columns[1].mT
    lines = _rounded((lines, high), (lines, low)).floor_().reshape(batch, height, -1)
    high, low = (weight.expand(batch, -1, -1) for weight in rows)
    out = _rounded((high, lines), (low, lines))  # the copy to uint8 drops the fraction
    return out.reshape(batch, high.shape[1], 3, -1).permute(0, 2, 1, 3)


def _rounded(high: tuple[Tensor, Tensor], low: tuple[Tensor, Tensor]) -> Tensor:
    """(high * 2^12 + low + half) / 2^22 of two batched products, clamped to 0..255; each step is exact in float32."""
    half = high[0].new_full((1, 1, 1), 2.0 ** (PRECISION_BITS - 1 - _LOW_BITS))
    carry = torch.baddbmm(half, *low).floor_()
    return torch.baddbmm(carry, *high, beta=_HIGH_UNIT, alpha=_HIGH_UNIT).clamp_(0, 255)


def _axes(boxes: np.ndarray, images: Tensor, height: int, width: int, filter_name: str) -> tuple[Axis, Axis]:
    """Weights of rows and of columns from the host's boxes, (2, B, 4)."""
    device = torch.from_numpy(boxes).to(images.device, non_blocking=True)
    shapes = ((height, images.shape[1]), (width, images.shape[2]))
    if shapes[0] == shapes[1]:  # both axes at once: half the kernels
        both = _axis(device.reshape(-1, 4), boxes.reshape(-1, 4), *shapes[0], filter_name)
        (row_high, column_high), (row_low, column_low) = (weight.chunk(2) for weight in both)
        return (row_high, row_low), (column_high, column_low)
    rows, columns = (_axis(device[axis], boxes[axis], *shapes[axis], filter_name) for axis in (0, 1))
    return rows, columns


def _axis(device: Tensor, host: np.ndarray, out: int, longest: int, filter_name: str) -> Axis:
    kind = find_filter(filter_name)
    low, high, length, flip = device.unbind(1)
    count = taps(kind, float((host[:, 1] - host[:, 0]).max()) / out, longest)
    start, weight = fixed_weights(kind, low, high, length.long(), flip > 0, out, count)
    index = start[..., None] + torch.arange(count, device=device.device)
    coarse = torch.round(weight / 2**_LOW_BITS)
    parts = (coarse, weight / 2**_LOW_BITS - coarse)
    dense = weight.new_zeros((2, *weight.shape[:2], longest), dtype=torch.float32)
    for part, values in zip(dense, parts, strict=True):
        part.scatter_(2, index, values.float())
    return dense[0], dense[1]


@lru_cache(maxsize=64)
def _shared_axes(
    boxes: bytes, image_shape: tuple[int, int, int], height: int, width: int, filter_name: str, device: torch.device
) -> tuple[Axis, Axis]:
    """The weights of one box that a whole batch shares, kept: the evaluation view of images of one size."""
    like = torch.empty((0, *image_shape), device=device)
    with torch.inference_mode(mode=False):  # kept tensors must serve training too
        return _axes(np.frombuffer(boxes, np.float32).reshape(2, 1, 4).copy(), like, height, width, filter_name)


def _boxes(params: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Begin, end, length (pixels) and flip of both axes, float32 (2, B, 4), rounded to it where PIL rounds."""
    low, high = params[:, [Y0, X0]].astype(np.float64) * sizes, params[:, [Y1, X1]].astype(np.float64) * sizes
    flip = np.stack([np.zeros(len(params)), params[:, FLIP] > 0.5], 1)
    return np.stack([low, high, sizes, flip], 2).astype(np.float32).swapaxes(0, 1).copy()


@lru_cache(maxsize=64)
def _affine(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    with torch.inference_mode(mode=False):
        middle, spread = (torch.tensor(values, dtype=torch.float64) for values in (mean, std))
        scale, shift = 1 / (255 * spread), -middle / spread
        return scale.float().reshape(1, 3, 1, 1).to(device), shift.float().reshape(1, 3, 1, 1).to(device)


def _host(values: np.ndarray | Tensor, dtype: type) -> np.ndarray:
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    return array.astype(dtype, copy=False)

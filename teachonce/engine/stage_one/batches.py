"""The batch size of a pass where none was given."""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from teachonce.engine.stage_one.forward import Forward
from teachonce.errors import ModelError
from teachonce.types import InputSpec

_LARGEST = 4096
_LEAST_GAIN = 1.05  # a doubling must give this much throughput to be kept


def find_batch_size(forward: Forward, spec: InputSpec, *, device: torch.device, most: int) -> int:
    """A batch size for this teacher on this device.

    On a GPU the batch is doubled until memory runs out or a doubling gains less than 5 %. On a CPU throughput is
    flat beyond the smallest batches, so timing would only let noise decide what is then written into the store; there
    it is the power of two that comes next below 2^21 pixels, from 8 to 256.

    Args:
        forward: The teacher on its device.
        spec: Its input.
        device: Where it runs.
        most: The rows of a block; batches never cross one.

    Raises:
        ModelError: Not even one image fits.
    """
    if device.type != "cuda":
        return min(most, max(8, min(256, _power_below((1 << 21) // (spec.height * spec.width)))))
    size = best_doubling(lambda size: _rate(forward, spec, device, size), most=min(most, _LARGEST))
    if size is None:
        raise ModelError("the device has too little memory for one image", "Use --device cpu, or a smaller teacher")
    return size


def best_doubling(rate: Callable[[int], float | None], *, most: int) -> int | None:
    """Double from 16 while that gains at least 5 %.

    Args:
        rate: Images a second at a batch size; None where memory runs out.
        most: The largest size to try.

    Returns:
        The last size that was worth its doubling; below 16, the largest that fits; None where none does.
    """
    best, best_rate, size = None, 0.0, min(16, most)
    while size <= most and (found := rate(size)) is not None and found >= best_rate * _LEAST_GAIN:
        best, best_rate, size = size, found, size * 2
    while best is None and size > 1:
        size //= 2
        best = size if rate(size) is not None else None
    return best


def _power_below(value: int) -> int:
    return 1 << max(0, value.bit_length() - 1)


def _rate(forward: Forward, spec: InputSpec, device: torch.device, size: int) -> float | None:
    """Images a second at one batch size; None where memory runs out."""
    try:
        pixels = torch.zeros(size, 3, spec.height, spec.width, device=device)
        _timed(forward, pixels, device)
        seconds = min(_timed(forward, pixels, device) for _ in range(3))
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return None
    return size / seconds


def _timed(forward: Forward, pixels: Tensor, device: torch.device) -> float:
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    forward.signal(pixels)
    torch.cuda.synchronize(device)
    return time.perf_counter() - start

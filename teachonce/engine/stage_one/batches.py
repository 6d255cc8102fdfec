"""The batch size of a pass where none was given."""

import gc
import time
from collections.abc import Callable

import numpy as np
import torch

from teachonce.data.packed import Packed
from teachonce.engine.stage_one.forward import Forward, Images
from teachonce.errors import ModelError, is_out_of_memory
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
    size = best_doubling(lambda size: measure(forward, spec, device, size), most=min(most, _LARGEST))
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


def measure(forward: Forward, spec: InputSpec, device: torch.device, size: int) -> float | None:
    """Images a second at one batch size, with all that a batch takes on the device; None where memory runs out."""
    image = np.zeros((spec.height + 1, spec.width + 1, 3), np.uint8)  # to be resampled, as the pass does
    params = np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (size, 1, 1))
    images = Images(packed=Packed.of([image] * size), params=params)
    seconds = _tried(forward, images)
    if seconds is None:
        gc.collect()
        torch.cuda.empty_cache()  # not where the error is caught: it keeps the batch's tensors alive
        return None
    return size / min(seconds[1:])


def _tried(forward: Forward, images: Images) -> list[float] | None:
    """Seconds of a few passes, the first of which warms up; None where memory runs out."""
    try:
        return [_seconds(forward, images) for _ in range(4)]
    except ModelError as error:
        if error.__cause__ is None or not is_out_of_memory(error.__cause__):
            raise
    return None


def _seconds(forward: Forward, images: Images) -> float:
    start = time.perf_counter()
    for output in forward(images):
        output.wait()
    return time.perf_counter() - start

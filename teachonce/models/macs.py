"""Multiply-accumulates, counted: what papers compare costs by."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from teachonce.models.classifier import evaluating
from teachonce.types import InputSpec


def count_macs(model: nn.Module, input: InputSpec) -> int:
    """The multiply-accumulates of one forward pass of one sample, in eval mode.

    Counted are convolutions (grouped and depthwise ones too), linear layers, matrix products and attention; not norms,
    activations, poolings and biases, as papers do. Half of what `torch.utils.flop_counter` gives. It knows neither
    attention kernels that are fused for a CPU nor fused transformer layers, so these are computed from their parts
    while it counts. Recurrent layers are not counted.

    Args:
        model: On any device; a student or a teacher. Its mode, weights and the random state stay as they are.
        input: What it takes.
    """
    weight = next(model.parameters(), torch.empty(0))
    pixels = torch.zeros(1, 3, input.height, input.width, device=weight.device)
    with torch.no_grad(), evaluating(model), _unfused(), FlopCounterMode(display=False) as counter:
        model(pixels)
    return int(counter.get_total_flops()) // 2


@contextmanager
def _unfused() -> Iterator[None]:
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)

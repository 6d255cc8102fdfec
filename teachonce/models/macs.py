"""Multiply-accumulates, counted: what papers compare costs by."""

import copy
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from teachonce.models.placed import without_hooks
from teachonce.processwide import counting, evaluating, random_kept
from teachonce.types import InputSpec

_SMALL = 1 << 25
"""Weights of a network that is counted on the CPU."""


def count_macs(model: nn.Module, input: InputSpec) -> int:
    """The multiply-accumulates of one forward pass of one sample, in eval mode.

    Counted are convolutions (grouped and depthwise ones too), linear layers, matrix products and attention; not norms,
    activations, poolings and biases, as papers do. Half of what `torch.utils.flop_counter` gives. Recurrent layers are
    not counted.

    It counts on a copy without values, on the device `meta`. A network that asks for values on its way is copied to the
    CPU, as is a small one where the device `meta` would take longer; one that cannot be copied either runs itself.

    Args:
        model: On any device; a student or a teacher. Its mode, weights and the random state stay as they are.
        input: What it takes.

    Raises:
        RuntimeError: The thread is one that works beside another which computes (`teachonce.processwide`).
    """
    for device in _devices(model):
        with suppress(Exception):  # whatever a user's network does there
            return _count(_copy(model, device), input, torch.device(device))
    weight = next(model.parameters(), torch.empty(0))
    return _count(model, input, weight.device)


def _devices(model: nn.Module) -> tuple[str, ...]:
    """Where to count, in the order of what it takes.

    Functions on the device `meta` import torch._dynamo, which takes longer than an image through a small network.
    """
    small = sum(parameter.numel() for parameter in model.parameters()) <= _SMALL
    return ("cpu", "meta") if small and "torch._dynamo" not in sys.modules else ("meta", "cpu")


def _count(model: nn.Module, input: InputSpec, device: torch.device) -> int:
    pixels = torch.zeros(1, 3, input.height, input.width, device=device)
    with random_kept(device), evaluating(model), torch.no_grad(), counting(_ATTENTION) as counter, _InParts():
        model(pixels)
    return int(counter.get_total_flops()) // 2


def _copy(model: nn.Module, device: str) -> nn.Module:
    """The network on another device; of its weights there is no second copy where they were."""
    loose = (value for part in model.modules() for value in vars(part).values() if isinstance(value, Tensor))
    tensors = (*model.parameters(), *model.buffers(), *loose)
    memo: dict[int, Any] = {id(tensor): _moved(tensor, device) for tensor in tensors}
    return copy.deepcopy(model, memo | without_hooks(model))


def _moved(tensor: Tensor, device: str) -> Tensor:
    moved = tensor.detach().to(device, copy=True)
    return nn.Parameter(moved, requires_grad=False) if isinstance(tensor, nn.Parameter) else moved


class _InParts(TorchFunctionMode):
    """Keeps torch, in this thread alone, from fused transformer layers, which the counter does not know.

    They are not taken where somebody wants to see the functions that they stand for.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return func(*args, **(kwargs or {}))


def _attention_flops(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: Any, **__: Any) -> int:
    """Of the kernel for CPUs, from shapes (B, H, T, D): scores, then their sums of values."""
    scores = query[0] * query[1] * query[2] * key[2]
    return 2 * scores * (query[3] + value[3])


_ATTENTION = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops}

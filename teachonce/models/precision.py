"""The dtype of a teacher's weights, in which it also computes."""

from typing import get_args

import torch
from torch import Tensor, nn

from teachonce.errors import InputError
from teachonce.types import TeacherDtype

TORCH_DTYPES: dict[TeacherDtype, torch.dtype] = {
    "float32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


def parse_teacher_dtype(name: str) -> TeacherDtype:
    """The dtype of that name.

    Raises:
        InputError: There is none.
    """
    for known in TORCH_DTYPES:
        if name == known:
            return known
    raise InputError(f"unknown teacher dtype {name!r}", f"Use one of {', '.join(get_args(TeacherDtype))}")


def as_taken(pixels: Tensor, network: nn.Module) -> Tensor:
    """Pixels in the dtype of a network's weights; float32 where it has none."""
    weights = (weight.dtype for weight in network.parameters() if weight.is_floating_point())
    return pixels.to(next(weights, torch.float32))

"""Teachers whose networks take BGR: pixels are RGB everywhere else, and are turned where the network begins."""

import copy
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from teachonce.errors import ModelError
from teachonce.models.frozen import Signal, Teacher
from teachonce.models.hub import loading


def in_rgb(processor: Any, spec: str) -> tuple[Any, bool]:
    """An image processor that leaves the channels in order, and whether the given one reverses them, as MobileViT's.

    Raises:
        ModelError: It does more with them than to give the same pixels as BGR.
    """
    if not getattr(processor, "do_flip_channel_order", False):
        return processor, False
    plain = copy.copy(processor)
    plain.do_flip_channel_order = False
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8))
    with loading(spec):
        rgb, bgr = (
            np.asarray(each(images=image, return_tensors="np")["pixel_values"][0]) for each in (plain, processor)
        )
    if rgb.ndim != 3 or not np.array_equal(rgb[::-1], bgr):
        message = (
            f"{spec!r}: its image processor sets do_flip_channel_order, and the same pixels as BGR are not all it gives"
        )
        raise ModelError(message, "Use another teacher, or a package.module:factory that does it inside its network")
    return plain, True


class BgrTeacher(Teacher):
    """A teacher that is given RGB, before a network that takes BGR.

    Args:
        teacher: With that network; its `info` is of RGB pixels.
    """

    def __init__(self, teacher: Teacher) -> None:
        super().__init__(teacher.info)
        self.teacher = teacher

    def forward(self, pixels: Tensor) -> Signal:
        """See Teacher.forward."""
        signal: Signal = self.teacher(pixels.flip(1))
        return signal

    def head(self) -> tuple[Tensor, Tensor | None] | None:
        """See Teacher.head."""
        return self.teacher.head()

"""Teachers whose networks take BGR: pixels are RGB everywhere else, and are turned where the network begins."""

import copy
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from teachonce.errors import ModelError
from teachonce.models.frozen import Signals, Teacher
from teachonce.models.hub import loading
from teachonce.models.processor import translate
from teachonce.types import EvalView, InputSpec


def translate_rgb(processor: Any, spec: str) -> tuple[InputSpec, EvalView, bool]:
    """See `translate`; and whether the processor gives BGR, as MobileViT's, which the first two leave out.

    Raises:
        ModelError: See `translate`; or it does more with the channels than to give the same pixels as BGR.
    """
    if not getattr(processor, "do_flip_channel_order", False):
        return *translate(processor, spec), False
    plain = copy.copy(processor)
    plain.do_flip_channel_order = False
    given, view = translate(plain, spec)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (61, 83, 3), np.uint8))
    with loading(spec):
        rgb, bgr = (
            np.asarray(each(images=image, return_tensors="np")["pixel_values"][0]) for each in (plain, processor)
        )
    if not np.array_equal(rgb[::-1], bgr):
        message = (
            f"{spec!r}: its image processor sets do_flip_channel_order and changes more than the order of the channels"
        )
        raise ModelError(message, "Use another teacher, or a package.module:factory that does it inside its network")
    return given, view, True


class BgrTeacher(Teacher):
    """A teacher that is given RGB, before a network that takes BGR.

    Args:
        teacher: With that network; its `info` is of RGB pixels.
    """

    def __init__(self, teacher: Teacher) -> None:
        super().__init__(teacher.info)
        self.teacher = teacher

    def forward(self, pixels: Tensor) -> Signals:
        """See Teacher.forward."""
        signals: Signals = self.teacher(pixels.flip(1))
        return signals

    def widths(self) -> dict[str, int]:
        """See Teacher.widths."""
        return self.teacher.widths()

    def head(self) -> tuple[Tensor, Tensor | None] | None:
        """See Teacher.head."""
        return self.teacher.head()

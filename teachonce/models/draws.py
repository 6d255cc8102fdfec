"""Random numbers of a training step: each draw is made from (seed, step, purpose) alone.

So a step can be computed again, in parts, by several processes, or after a resume, whatever was drawn before it.
"""

from collections.abc import Sequence

import torch
import xxhash
from torch import Tensor


class Draws:
    """The draws of one training.

    Args:
        seed: Of the training.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def uniform(self, shape: Sequence[int], *, step: int, purpose: str, device: torch.device) -> Tensor:
        """Float32 from [0, 1), drawn on the device without waiting for it; other devices draw other numbers.

        Args:
            shape: Of the whole batch; a part of it takes its rows of the same draw.
            step: Steps done before this one.
            purpose: What it is for: two draws of one step are independent by it.
            device: Where.
        """
        if device.type == "meta":  # has no generators, and no numbers
            return torch.empty(*shape, device=device)
        key = xxhash.xxh3_64_intdigest(f"{self.seed} {step} {purpose}".encode())
        generator = torch.Generator(device).manual_seed(key)
        return torch.rand(*shape, generator=generator, device=device)

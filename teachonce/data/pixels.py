"""Decoded images kept in memory: one tensor where all have one size, else one flat buffer with offsets."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from teachonce.data.decode import DecodeError
from teachonce.data.packed import Packed
from teachonce.data.workers import Decoded
from teachonce.types import Probe


class TooLargeError(Exception):
    """The images do not fit the budget."""


@dataclass
class Collected:
    """Images as they are decoded, one after the other in one buffer.

    Memory is taken page by page as it is written, so the buffer may be reserved at its largest.
    """

    capacity: int
    used: int = 0
    offsets: list[int] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._buffer = torch.empty(self.capacity, dtype=torch.uint8)

    def add(self, rows: np.ndarray, decoded: list[Decoded]) -> None:
        """Append the images of rows; one that failed takes no bytes and has the size (0, 0).

        Raises:
            TooLargeError: The buffer is full.
        """
        view = self._buffer.numpy()
        for row, (image, *_) in zip(rows.tolist(), decoded, strict=True):
            self.offsets.append(self.used)
            if isinstance(image, DecodeError):
                self.sizes.append((0, 0))
                self.failed[row] = image.code
                continue
            if self.used + image.size > self.capacity:
                raise TooLargeError
            view[self.used : self.used + image.size] = image.reshape(-1)
            self.used += image.size
            self.sizes.append((image.shape[0], image.shape[1]))

    @property
    def buffer(self) -> Tensor:
        """uint8 (used,)."""
        return self._buffer[: self.used]


class Pixels:
    """Images in memory, by their place 0..n-1; a failed one is shown black.

    Args:
        collected: The images.
        device: Where batches are wanted.
        keep: Where the images are kept: `device`, or the host where they are too many for it.
    """

    def __init__(self, collected: Collected, device: torch.device, keep: torch.device) -> None:
        self.sizes = np.array(collected.sizes, np.int64).reshape(-1, 2)
        self.device, self.keep = device, keep
        good = self.sizes[self.sizes[:, 0] > 0]
        self._offsets = np.array(collected.offsets, np.int64) // 3
        self.alike = len(good) > 0 and bool((good == good[0]).all())
        self.kept = collected.buffer
        if self.alike:
            self.kept = self.kept.reshape(len(good), *good[0].tolist(), 3)
            self._slots = np.where(self.sizes[:, 0] > 0, self._offsets // good[0].prod(), 0)
        self.kept = self.kept.to(keep)

    def batch(self, places: np.ndarray, probe: Probe | None = None) -> Packed:
        """Images as one batch on the device; a failed one has the size (0, 0).

        Args:
            places: Of the images.
            probe: Hears when images of the host have been drawn, and lifted.
        """
        sizes = self.sizes[places]
        if self.alike:
            index = torch.from_numpy(self._slots[places]).to(self.keep, non_blocking=True)
            pixels = self._lift(self.kept.index_select(0, index), probe)
            return Packed(pixels.reshape(-1, 3), sizes, np.arange(len(places)) * pixels[:1, :, :, 0].numel())
        there = Packed(self.kept.reshape(-1, 3), sizes, self._offsets[places])
        if self.keep.type == self.device.type:
            return there
        copied = Packed.of([there.image(place).numpy() for place in range(len(places))])
        return copied.at(self._lift(copied.pixels, probe))

    def _lift(self, batch: Tensor, probe: Probe | None) -> Tensor:
        if batch.device.type == self.device.type:
            return batch
        if probe is not None:
            probe("data")
        lifted = batch.pin_memory().to(self.device, non_blocking=True)
        if probe is not None:
            probe("transfer")
        return lifted

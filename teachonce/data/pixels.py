"""Decoded images kept in memory: one tensor where all have one size, else one flat buffer with offsets."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from teachonce.data.decode import DecodeError
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
        for row, (image, _) in zip(rows.tolist(), decoded, strict=True):
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
        self._offsets = np.array(collected.offsets, np.int64)
        self.alike = len(good) > 0 and bool((good == good[0]).all())
        self.kept = collected.buffer
        if self.alike:
            self.kept = self.kept.reshape(len(good), *good[0].tolist(), 3)
            self._slots = np.where(self.sizes[:, 0] > 0, self._offsets // (3 * good[0].prod()), 0)
        self.kept = self.kept.to(keep)

    def batch(self, places: np.ndarray, probe: Probe | None = None) -> tuple[Tensor, np.ndarray | None]:
        """Images as one batch on the device.

        Args:
            places: Of the images.
            probe: Hears when images of the host have been drawn, and lifted.

        Returns:
            uint8 (B, H, W, 3), padded at the bottom and the right where sizes differ, and the real sizes, int64 (B, 2):
            None where all are equal.
        """
        if not self.kept.numel():
            return torch.zeros((len(places), 1, 1, 3), dtype=torch.uint8, device=self.device), None
        if self.alike:
            index = torch.from_numpy(self._slots[places]).to(self.keep, non_blocking=True)
            batch, sizes = self.kept.index_select(0, index), None
        else:
            sizes = np.maximum(self.sizes[places], 1)
            batch = self._gather(places, sizes) if self.keep.type == "cuda" else self._copy(places, sizes)
        failed = np.flatnonzero(self.sizes[places, 0] == 0)
        if len(failed):
            batch[torch.from_numpy(failed).to(self.keep, non_blocking=True)] = 0
        return self._lift(batch, probe), sizes

    def _gather(self, places: np.ndarray, sizes: np.ndarray) -> Tensor:
        """By index, in one kernel; padding repeats the edge, which no weight reaches."""
        table = np.concatenate([sizes, self._offsets[places, None] // 3], 1)
        height, width, start = torch.from_numpy(table).to(self.keep, non_blocking=True).T[..., None, None]
        tall, wide = sizes.max(0).tolist()
        y, x = torch.arange(tall, device=self.keep)[:, None], torch.arange(wide, device=self.keep)
        pixel = start + torch.minimum(y, height - 1) * width + torch.minimum(x, width - 1)
        pixels = self.kept.reshape(-1, 3)
        return pixels[pixel.clamp_(max=len(pixels) - 1)]

    def _copy(self, places: np.ndarray, sizes: np.ndarray) -> Tensor:
        tall, wide = sizes.max(0).tolist()
        batch = torch.zeros((len(places), tall, wide, 3), dtype=torch.uint8)
        for place, image in zip(batch, self._images(places), strict=True):
            place[: image.shape[0], : image.shape[1]] = image
        return batch

    def _images(self, places: np.ndarray) -> Iterator[Tensor]:
        for place in places:
            height, width = self.sizes[place].tolist()
            start = int(self._offsets[place])
            yield self.kept[start : start + 3 * height * width].reshape(height, width, 3)

    def _lift(self, batch: Tensor, probe: Probe | None) -> Tensor:
        if batch.device.type == self.device.type:
            return batch
        if probe is None:
            return batch.pin_memory().to(self.device, non_blocking=True)
        probe("data")
        lifted = batch.pin_memory().to(self.device, non_blocking=True)
        probe("transfer")
        return lifted

"""Images of any sizes in one tensor, without padding, and their views drawn so that the cost follows their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachonce.data.pil import render_image
from teachonce.data.render import render_bytes
from teachonce.types import InputSpec, Resizing

MOST_PADDING = 1.2
"""Pixels of a group of images that are drawn together, padded to their largest, over those that are there."""
_BUCKET = np.log(1.1)
_LARGE = 1 << 14  # pixels, from which PIL's loops beat a dense product on a CPU


@dataclass(frozen=True)
class Packed:
    """Images in one tensor, one after the other or anywhere in it."""

    pixels: Tensor
    """uint8 (n, 3), the pixels of the images, on any device."""
    sizes: NDArray[np.int64]
    """(B, 2), height and width; zeros where an image failed, which is drawn black."""
    offsets: NDArray[np.int64]
    """(B,), where each begins, in pixels."""

    @classmethod
    def of(cls, images: Sequence[np.ndarray], *, pin: bool = False) -> Self:
        """Images side by side.

        Args:
            images: uint8 (H, W, 3) each.
            pin: Put them in page-locked memory, for copies to a GPU that nobody waits for.
        """
        sizes = np.array([image.shape[:2] for image in images], np.int64).reshape(-1, 2)
        ends = np.cumsum(sizes.prod(1))
        pixels = torch.empty((int(ends[-1]) if len(ends) else 0, 3), dtype=torch.uint8, pin_memory=pin)
        view = pixels.numpy()
        for image, end in zip(images, ends.tolist(), strict=True):
            view[end - image.shape[0] * image.shape[1] : end] = image.reshape(-1, 3)
        return cls(pixels, sizes, ends - sizes.prod(1))

    def __len__(self) -> int:
        return len(self.sizes)

    def at(self, pixels: Tensor) -> "Packed":
        """The same images, their pixels copied elsewhere."""
        return Packed(pixels, self.sizes, self.offsets)

    def image(self, place: int) -> Tensor:
        """uint8 (H, W, 3), without a copy."""
        (height, width), start = self.sizes[place].tolist(), int(self.offsets[place])
        return self.pixels[start : start + height * width].reshape(height, width, 3)

    def padded(self, places: NDArray[np.int64]) -> Tensor:
        """Some images in one tensor, uint8 (n, H, W, 3), padded at the bottom and the right to the largest of them."""
        sizes, offsets = self.sizes[places], self.offsets[places]
        tall, wide = sizes.max(0).tolist()
        alike = bool((sizes == sizes[0]).all())
        if alike and (np.diff(offsets) == tall * wide).all():
            start = int(offsets[0])
            return self.pixels[start : start + len(places) * tall * wide].reshape(len(places), tall, wide, 3)
        if self.pixels.is_cuda:
            return self._gathered(sizes, offsets)
        make = torch.empty if alike else torch.zeros
        batch = make((len(places), tall, wide, 3), dtype=torch.uint8)
        for filled, place in zip(batch, places.tolist(), strict=True):
            image = self.image(place)
            filled[: image.shape[0], : image.shape[1]] = image
        return batch

    def _gathered(self, sizes: NDArray[np.int64], offsets: NDArray[np.int64]) -> Tensor:
        """By index, in one kernel; padding repeats the edge, which no weight reaches."""
        device = self.pixels.device
        table = np.concatenate([sizes, offsets[:, None]], 1)
        height, width, start = torch.from_numpy(table).to(device, non_blocking=True).T[..., None, None]
        tall, wide = sizes.max(0).tolist()
        y, x = torch.arange(tall, device=device)[:, None], torch.arange(wide, device=device)
        return self.pixels[start + torch.minimum(y, height - 1) * width + torch.minimum(x, width - 1)]

    def draw(self, params: NDArray[np.float32], spec: InputSpec, rule: Resizing | None = None) -> Tensor:
        """One view of each image.

        Args:
            params: float32 (B, 6) on the host, see `teachonce.data.views`.
            spec: Size and filter.
            rule: How they are resized; None: as the installed Pillow does.

        Returns:
            uint8 (B, 3, spec.height, spec.width), on the device of the pixels.
        """
        drawn = (self._draw(places, params[places], spec, rule) for places in self.groups)
        if len(self.groups) == 1 and len(self.groups[0]) == len(self):
            return next(drawn)
        out = torch.zeros((len(self), 3, spec.height, spec.width), dtype=torch.uint8, device=self.pixels.device)
        for places, part in zip(self.groups, drawn, strict=True):
            out[torch.from_numpy(places).to(out.device, non_blocking=True)] = part
        return out

    @cached_property
    def groups(self) -> list[NDArray[np.int64]]:
        """The places of images that are drawn together; failed ones are in none."""
        there = np.flatnonzero(self.sizes.all(1))
        return [there[group] for group in grouped(self.sizes[there])]

    def _draw(
        self, places: NDArray[np.int64], params: NDArray[np.float32], spec: InputSpec, rule: Resizing | None
    ) -> Tensor:
        if self.pixels.is_cuda or int(self.sizes[places].prod(1).max()) < _LARGE:
            return render_bytes(self.padded(places), params, spec, self.sizes[places], rule)
        images = (self.image(place).numpy() for place in places.tolist())
        drawn = [render_image(image, view, spec, rule) for image, view in zip(images, params, strict=True)]
        return torch.from_numpy(np.stack(drawn))


def grouped(sizes: NDArray[np.int64], most: float = MOST_PADDING) -> list[NDArray[np.int64]]:
    """Images in groups of about one size, each of which is `most` times its own pixels at the most when padded.

    Args:
        sizes: (B, 2), height and width, none of them zero.
        most: At least 1.

    Returns:
        The places of each group, ascending; each place is in one of them.
    """
    if not len(sizes):
        return []
    if (sizes == sizes[0]).all():
        return [np.arange(len(sizes))]
    buckets = np.floor(np.log(sizes[:, 1]) / _BUCKET)
    order = np.lexsort((sizes[:, 1], sizes[:, 0], buckets))
    starts, start, real, tall, wide = [0], 0, 0, 0, 0
    for index, (height, width) in enumerate(sizes[order].tolist()):
        real, tall, wide = real + height * width, max(tall, height), max(wide, width)
        if tall * wide * (index + 1 - start) > most * real:
            starts.append(index)
            start, real, tall, wide = index, height * width, height, width
    return [np.sort(group) for group in np.split(order, starts[1:])]

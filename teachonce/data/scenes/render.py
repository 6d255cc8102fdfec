"""A scene as pixels, in integer arithmetic: the bytes are the same on every machine."""

import numpy as np
from numpy.typing import NDArray

from teachonce.data.counters import Words
from teachonce.data.scenes.masks import FULL, shape_mask
from teachonce.data.scenes.world import COLOURS, GRID, GROUNDS, TONES, Colour, Draws, Scene

LEAST_SIZE, MOST_SIZE = 32, 512
"""Pixels of a side: of fewer, small and large shapes would be alike."""
_LARGE, _SMALL = (41, 46), (26, 30)
"""The radius of an object in hundredths of a cell's side, from and to."""
_BITS = FULL.bit_length() - 1
_SHADE = 14  # the most by which a channel of an object's colour is changed
_GRAIN = 8  # the most by which a pixel's brightness is changed


def noise_counters(size: int) -> int:
    """How many counters, of four words each, the grain of an image takes: one byte a pixel."""
    return -(-size * size // 16)


def render(scene: Scene, size: int, draws: Draws, noise: Words) -> NDArray[np.uint8]:
    """The image of a scene.

    Args:
        scene: What is to be seen.
        size: Height and width in pixels, at least LEAST_SIZE.
        draws: Of places and shades within what the scene says: 6 of each object.
        noise: uint64 (4 * noise_counters(size),), each below 2^32.

    Returns:
        uint8 (size, size, 3).
    """
    image = np.empty((size, size, 3), np.int16)
    image[:] = GROUNDS[scene.ground]
    for cell in scene.cells:
        _draw(image, scene.shape, COLOURS[scene.colour], cell, large=scene.large, draws=draws)
    if scene.extra is not None:
        _draw(image, scene.extra.shape, TONES[scene.extra.tone], scene.extra.cell, large=False, draws=draws)
    grain = noise.astype("<u4").view(np.uint8)[: size * size] % np.uint8(2 * _GRAIN + 1)
    image += grain.astype(np.int16).reshape(size, size, 1)
    image -= _GRAIN
    return image.astype(np.uint8)


def _draw(image: NDArray[np.int16], shape: str, colour: Colour, cell: int, *, large: bool, draws: Draws) -> None:
    """One object into a cell, wholly within it, one pixel free at its end: neighbours do not touch."""
    size = len(image)
    top, bottom = (size * (cell // GRID + step) // GRID for step in (0, 1))
    left, right = (size * (cell % GRID + step) // GRID for step in (0, 1))
    least, most = _LARGE if large else _SMALL
    side = size // GRID
    radius = min((side * (least + draws.below(most - least + 1)) + 50) // 100, (side - 2) // 2)
    mask = shape_mask(shape, radius)
    y, x = (start + draws.below(end - start - len(mask)) for start, end in ((top, bottom), (left, right)))
    shade = [channel + draws.below(2 * _SHADE + 1) - _SHADE for channel in colour]
    under = image[y : y + len(mask), x : x + len(mask)]
    ink = np.array(
        [min(max(channel, _GRAIN), 255 - _GRAIN) for channel in shade], np.int16
    )  # the grain stays in 0..255
    under += (ink - under) * mask[:, :, None] >> _BITS

"""The shapes as masks, in integer arithmetic alone."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

FULL = 64
"""The value of a pixel that lies within a shape wholly: a power of two, by which bytes can be multiplied in 16 bits."""
_FINE = 8  # samples of a pixel, down and across
_UNIT = 1000  # the radius of a shape in the tables below

# Corners as (x, y) from the centre, y downwards; the star's are those of a pentagram.
_CORNERS: dict[str, tuple[tuple[int, int], ...]] = {
    "square": ((-850, -850), (850, -850), (850, 850), (-850, 850)),
    "triangle": ((0, -1000), (1000, 850), (-1000, 850)),
    "cross": (
        (-330, -1000), (330, -1000), (330, -330), (1000, -330), (1000, 330), (330, 330),
        (330, 1000), (-330, 1000), (-330, 330), (-1000, 330), (-1000, -330), (-330, -330),
    ),
    "star": (
        (0, -1000), (235, -324), (951, -309), (380, 124), (588, 809),
        (0, 400), (-588, 809), (-380, 124), (-951, -309), (-235, -324),
    ),
}  # fmt: skip
_RADII = {"circle": (0, 950), "ring": (560, 1000)}
"""Of the hole and of the whole."""


@cache
def shape_mask(shape: str, radius: int) -> NDArray[np.int16]:
    """How much of each pixel a shape covers, from 0 to FULL, int16 (2 * radius + 1, 2 * radius + 1)."""
    side = 2 * radius + 1
    places = (2 * np.arange(side * _FINE) + 1 - side * _FINE) * _UNIT  # of samples, in 1 / (side * _FINE) of a radius
    x, y = places[None, :], places[:, None]
    scale = side * _FINE
    if shape in _RADII:
        hole, whole = (edge * scale for edge in _RADII[shape])
        inside = (x * x + y * y <= whole * whole) & (x * x + y * y >= hole * hole)
    else:
        inside = _polygon(x, y, [(a * scale, b * scale) for a, b in _CORNERS[shape]])
    mask: NDArray[np.int16] = inside.reshape(side, _FINE, side, _FINE).sum((1, 3), dtype=np.int16)
    mask.setflags(write=False)
    return mask


def _polygon(x: NDArray[np.int64], y: NDArray[np.int64], corners: list[tuple[int, int]]) -> NDArray[np.bool_]:
    """Whether points lie within a polygon: a ray to the right crosses its edges an odd number of times."""
    inside = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        spans = (y0 > y) != (y1 > y)
        left = (x - x0) * (y1 - y0) < (y - y0) * (x1 - x0)  # of the edge, where it goes down
        inside ^= spans & (left if y1 > y0 else ~left)
    return inside

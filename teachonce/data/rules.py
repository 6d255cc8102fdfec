"""The rules by which a view is resized: they differ in the axis that comes first, and a store keeps its own for ever.

Pillow resizes one axis, rounds to whole numbers, then the other, so the order of the axes shows in the pixels. Up to
12.1 lines came first (`pillow-10`). 12.2 and 12.3 take columns first where an image is more than 100 times as high as
wide and its height shrinks; 13 where the height shrinks, and by more than twice as many pixels as the width.

`early` is that of stores and runs which name no rule: lines first, centres of `nearest` not summed up as Pillow does,
and boxes as their float32 fractions have them, not snapped to the pixels of the resized image.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from teachonce.types import EARLY, Resizing

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
_SHAPES = ((36, 48, 32, 32), (40, 36, 32, 32), (41, 36, 32, 32), (800, 8, 20, 7), (801, 8, 20, 7), (801, 8, 900, 7))
"""Height and width before and after: on both sides of where the rules begin to differ."""


@dataclass(frozen=True)
class Rule:
    """One rule."""

    vertical_first: Callable[[Numbers, Numbers, Numbers, Numbers], Flags]
    """Whether columns come first, for (height, width) of images, and of the whole images resized."""
    exact: bool = True
    """Whether `nearest` and crops of resized images are to the bit as Pillow has them."""


def _never(height: Numbers, width: Numbers, tall: Numbers, wide: Numbers) -> Flags:
    return np.zeros(np.shape(height), np.bool_)


def _very_tall(height: Numbers, width: Numbers, tall: Numbers, wide: Numbers) -> Flags:
    flags: Flags = (height > 100 * width) & (tall < height)
    return flags


def _shrinks_more(height: Numbers, width: Numbers, tall: Numbers, wide: Numbers) -> Flags:
    flags: Flags = (tall < height) & (height - tall > 2 * (width - wide))
    return flags


RULES: dict[Resizing, Rule] = {
    EARLY: Rule(_never, exact=False),
    "pillow-10": Rule(_never),
    "pillow-12.2": Rule(_very_tall),
    "pillow-13": Rule(_shrinks_more),
}


@lru_cache(maxsize=1)
def installed_rule() -> Resizing:
    """The rule of the installed Pillow, found by resizing a few images; the newest where it follows none that we know.

    A teacher's processor is compared with our pixels when it is loaded, and refused where they differ.
    """
    found = [_columns_first(*shape) for shape in _SHAPES]
    for name in ("pillow-13", "pillow-12.2", "pillow-10"):
        rule = RULES[name]
        if found == [bool(rule.vertical_first(*map(np.asarray, shape))) for shape in _SHAPES]:
            return name
    return "pillow-13"


def _columns_first(height: int, width: int, tall: int, wide: int) -> bool:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))
    columns = image.resize((width, tall), Image.Resampling.BICUBIC).resize((wide, tall), Image.Resampling.BICUBIC)
    whole = image.resize((wide, tall), Image.Resampling.BICUBIC)
    return np.array_equal(np.asarray(columns), np.asarray(whole))

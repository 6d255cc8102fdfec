"""Views: a box, a flip and quarter turns for each image, drawn on the host from (seed, row, view) alone."""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from teachonce.bounds import CLOSED, Bounds
from teachonce.data.counters import philox
from teachonce.errors import InputError
from teachonce.types import EvalView

Y0, X0, Y1, X1, FLIP, TURNS = range(6)
"""The columns of view parameters: a box in fractions of the image, flip (0 or 1), quarter turns counter-clockwise."""

_TRIES = 10
_ASPECTS = (3 / 4, 4 / 3)
_FLIP_DRAW = _TRIES  # the counter word that follows the tries at a box


@dataclass(frozen=True, kw_only=True)
class Augment:
    """How views are drawn."""

    __pydantic_config__: ClassVar = CLOSED

    crop: Annotated[float, Bounds(above=0, max=1)] | None = None
    """The smallest share of the image's area that a random resized crop may take, in (0, 1]; None: the whole image."""
    flip: bool = False
    """Mirror left and right with probability one half."""


def parse_augment(text: str | None) -> Augment | None:
    """Read `crop=0.35,flip`; None, the empty text and `none` give None: the evaluation view only.

    Raises:
        InputError: Another word, or a share that is not in (0, 1].
    """
    if text is None or text.strip().lower() in ("", "none"):
        return None
    crop, flip = None, False
    for part in (part.strip() for part in text.split(",")):
        name, _, value = part.partition("=")
        if name == "flip" and not value:
            flip = True
        elif name == "crop":
            crop = _share(value)
        else:
            raise InputError(f"expected views such as crop=0.35,flip, got {part!r}", "Use crop=SHARE, flip, or both")
    return Augment(crop=crop, flip=flip)


def eval_views(sizes: np.ndarray, view: EvalView) -> np.ndarray:
    """The evaluation view of each image.

    Args:
        sizes: Integers (N, 2), height and width in pixels; rows of zeros (failed samples) get the whole image.
        view: The rule.

    Returns:
        float32 (N, 1, 6).
    """
    params = np.zeros((len(sizes), 1, 6), np.float32)
    params[:, :, Y1] = params[:, :, X1] = 1
    unique, inverse = np.unique(np.asarray(sizes), axis=0, return_inverse=True)
    boxes = np.array([view.box(int(h), int(w)) if h and w else (0, 0, 1, 1) for h, w in unique], np.float32)
    params[:, 0, :4] = boxes.reshape(-1, 4)[inverse.reshape(-1)]
    return params


def draw_views(sizes: np.ndarray, *, augment: Augment, views: int, seed: int, rows: np.ndarray) -> np.ndarray:
    """Random views that depend on (seed, row, view) and the image's aspect only, not on order or company.

    A random resized crop as in Szegedy et al. 2015 (and torchvision's RandomResizedCrop): an area share uniform in
    [crop, 1], an aspect log-uniform in [3/4, 4/3], ten tries, then the largest central crop of a permitted aspect.

    Args:
        sizes: Integers (n, 2), height and width in pixels of the images of `rows`; zeros count as square.
        augment: What is drawn.
        views: V, the number of views of each image.
        seed: Any integer.
        rows: Integers (n,), the row numbers in the dataset.

    Returns:
        float32 (n, V, 6).
    """
    row = np.repeat(np.asarray(rows, np.uint64), views)
    view = np.tile(np.arange(views, dtype=np.uint64), len(rows))
    height, width = np.repeat(np.maximum(np.asarray(sizes, np.float64), 1), views, axis=0).T
    params = np.zeros((len(row), 6), np.float32)
    params[:, Y1] = params[:, X1] = 1
    if augment.crop is not None:
        params[:, :4] = _crops(row, view, width / height, augment.crop, seed)
    if augment.flip:
        params[:, FLIP] = uniforms(seed, row, view, _FLIP_DRAW)[0] < 0.5
    return params.reshape(len(rows), views, 6)


def compose_views(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """A view of a view: `inner` taken within what `outer` shows, as one view of the image.

    Args:
        outer: float32 (..., 6) without quarter turns.
        inner: float32 (..., 6), boxes in fractions of the outer view.

    Returns:
        float32 (..., 6).
    """
    outer, inner = np.asarray(outer, np.float64), np.asarray(inner, np.float64)
    flip = outer[..., FLIP] > 0.5
    left = np.where(flip, 1 - inner[..., X1], inner[..., X0])
    right = np.where(flip, 1 - inner[..., X0], inner[..., X1])
    tall, wide = outer[..., Y1] - outer[..., Y0], outer[..., X1] - outer[..., X0]
    y0, y1 = (outer[..., Y0] + inner[..., y] * tall for y in (Y0, Y1))
    x0, x1 = (outer[..., X0] + x * wide for x in (left, right))
    return np.stack([y0, x0, y1, x1, flip ^ (inner[..., FLIP] > 0.5), inner[..., TURNS]], -1).astype(np.float32)


def _crops(row: np.ndarray, view: np.ndarray, aspect: np.ndarray, smallest: float, seed: int) -> np.ndarray:
    boxes = _central(aspect)
    open_rows = np.arange(len(row))
    for attempt in range(_TRIES):
        area, ratio, top, left = uniforms(seed, row[open_rows], view[open_rows], attempt)
        share = smallest + (1 - smallest) * area
        shape = np.exp(math.log(_ASPECTS[0]) + ratio * math.log(_ASPECTS[1] / _ASPECTS[0]))
        tall, wide = np.sqrt(share * aspect[open_rows] / shape), np.sqrt(share * shape / aspect[open_rows])
        fits = (tall <= 1) & (wide <= 1)
        y0, x0 = top * (1 - tall), left * (1 - wide)
        boxes[open_rows[fits]] = np.stack([y0, x0, y0 + tall, x0 + wide], 1)[fits]
        open_rows = open_rows[~fits]
    return boxes


def _central(aspect: np.ndarray) -> np.ndarray:
    """The largest central box whose aspect (width over height) is permitted, float64 (n, 4)."""
    tall, wide = np.minimum(1, aspect / _ASPECTS[0]), np.minimum(1, _ASPECTS[1] / aspect)
    return np.stack([(1 - tall) / 2, (1 - wide) / 2, (1 + tall) / 2, (1 + wide) / 2], 1)


def uniforms(seed: int, row: np.ndarray, view: np.ndarray, draw: int) -> np.ndarray:
    """Four uniform numbers in (0, 1), float64 (4, n), from the counter (row, view, draw) and the key `seed`."""
    return (philox(seed, row, view, draw).astype(np.float64) + 0.5) / 2**32


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise InputError(f"expected a share of the image's area in (0, 1] after crop=, got {text!r}", "Try crop=0.35")
    return share

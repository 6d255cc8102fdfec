"""Where the pixels of views lie in their images, on the host, in double precision, by the rule of the store."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from teachonce.data.rules import RULES
from teachonce.data.views import FLIP, X0, X1, Y0, Y1
from teachonce.types import InputSpec, Resizing

_ON_GRID = 2.0**-10  # of a pixel of the resized image, which float32 fractions keep
_LONGEST = 1 << 14  # up to this many pixels


@dataclass(frozen=True)
class Geometry:
    """How both axes (0: rows, 1: columns) of a batch of views are sampled.

    The centre of output pixel i lies at `low + (first + i + 0.5) * scale`.
    """

    low: NDArray[np.float64]
    """(2, B), pixels of the image; 0 where `on_grid`."""
    high: NDArray[np.float64]
    """(2, B), where the box ends, or the image where `on_grid`."""
    scale: NDArray[np.float64]
    """(2, B), input pixels per output pixel."""
    first: NDArray[np.int64]
    """(2, B), the first pixel of the resized whole image where `on_grid`, else 0."""
    resized: NDArray[np.int64]
    """(2, B), the length of the whole image, resized so that the box has the output's length."""
    on_grid: NDArray[np.bool_]
    """(2, B), whether the box is a range of pixels of the resized whole image: it is resized, then cropped."""
    length: NDArray[np.int64]
    """(2, B), the image's."""
    flip: NDArray[np.bool_]
    """(2, B)."""
    columns_first: NDArray[np.bool_]
    """(B,), whether the axes are taken in the order 0, 1."""
    exact: bool
    """Whether the rule is Pillow's to the bit."""

    @classmethod
    def of(cls, params: NDArray[np.float32], sizes: NDArray[np.int64], out: tuple[int, int], rule: Resizing) -> Self:
        """The geometry of views.

        Args:
            params: float32 (B, 6).
            sizes: int64 (B, 2), height and width of the images.
            out: Height and width of the views, before quarter turns.
            rule: How they are resized.
        """
        begin, end = (params[:, axes].T.astype(np.float64) for axes in ([Y0, X0], [Y1, X1]))
        lengths, ends = np.ascontiguousarray(sizes.T), np.array(out, np.int64)[:, None]
        low, high = ((edge * lengths).astype(np.float32) for edge in (begin, end))  # rounded where PIL rounds
        extent = np.where(end > begin, end - begin, 1.0)
        resized = np.rint(np.minimum(ends / extent, 2.0**40)).astype(np.int64)
        first = np.rint(begin * resized).astype(np.int64)
        off = np.maximum(np.abs(begin * resized - first), np.abs(end * resized - first - ends))
        grid = (off < _ON_GRID) & (resized <= _LONGEST) & RULES[rule].exact
        return cls(
            low=np.where(grid, 0.0, low),
            high=np.where(grid, lengths, high).astype(np.float64),
            scale=np.where(grid, lengths / resized, (high - low).astype(np.float64) / ends),
            first=np.where(grid, first, 0),
            resized=resized,
            on_grid=grid,
            length=lengths,
            flip=np.stack([np.zeros(len(params), np.bool_), params[:, FLIP] > 0.5]),
            columns_first=RULES[rule].vertical_first(*lengths, *resized),
            exact=RULES[rule].exact,
        )

    def __getitem__(self, part: int | slice | NDArray[np.int64]) -> "Geometry":
        """That of some of the views, or of one, without the axis B."""
        return Geometry(**{name: v if name == "exact" else v[..., part] for name, v in vars(self).items()})

    def nearest(self, axis: int, out: int) -> NDArray[np.float64]:
        """The centres of the output pixels of one axis as Pillow's `nearest` has them, (B, out).

        It sums them up step by step, each with its rounding, which decides where a centre lies between two pixels.

        Args:
            axis: Which.
            out: Its length.
        """
        low, scale, first = self.low[axis][:, None], self.scale[axis][:, None], self.first[axis][:, None]
        place = first + np.arange(out)
        centres = low + (place + 0.5) * scale
        if self.exact:
            steps = np.repeat(scale, max(0, int(first.max())) + out, axis=1)
            steps[:, :1] = low + scale * 0.5
            summed = np.take_along_axis(np.add.accumulate(steps, axis=1), np.maximum(place, 0), 1)
            centres = np.where(place < 0, centres, summed)
        flipped: NDArray[np.float64] = np.where(self.flip[axis][:, None], centres[:, ::-1], centres)
        return flipped


def differently_drawn(
    params: NDArray[np.float32], sizes: NDArray[np.int64], spec: InputSpec, one: Resizing, other: Resizing
) -> NDArray[np.bool_]:
    """Which views two rules draw by other passes: (B,).

    That `early` keeps the edges of crops in float32 alone, which moves a few pixels by a level or two, does not count.

    Args:
        params: float32 (B, 6).
        sizes: int64 (B, 2), none of them zero.
        spec: Size and filter.
        one: A rule.
        other: Another.
    """
    out = spec.height, spec.width
    first, second = (Geometry.of(params, sizes, out, rule) for rule in (one, other))
    if spec.filter == "nearest":  # no order shows, but where the centres lie
        pairs = [[np.floor(part.nearest(axis, out[axis])) for part in (first, second)] for axis in (0, 1)]
        moved: NDArray[np.bool_] = np.any([(one != two).any(1) for one, two in pairs], axis=0)
        return moved
    changed = (second.scale != 1) | (second.low != np.rint(second.low))
    ordered: NDArray[np.bool_] = (first.columns_first != second.columns_first) & changed.all(0)
    return ordered

"""Confidence intervals of accuracies, and of the difference of two.

Only the choice of the test images is in them: another seed of the training is another source of difference.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

LEVEL = 0.95
_Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


def wilson(right: float, count: int) -> tuple[float, float]:
    """The score interval of a share (Wilson, 1927).

    Args:
        right: How many are right.
        count: Of how many, at least 1.

    Returns:
        Two shares in [0, 1].
    """
    share, spread = right / count, _Z**2 / count
    centre = share + spread / 2
    reach = math.sqrt(spread * (share * (1 - share) + spread / 4))
    return max(0.0, (centre - reach) / (1 + spread)), min(1.0, (centre + reach) / (1 + spread))


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One accuracy minus another; shares in [-1, 1]."""

    value: float
    low: float
    high: float
    rows: int
    """Test images of each; of the fewer where they differ."""
    is_paired: bool
    """Whether it is known which images each got right, and they are the same images."""

    @property
    def is_clear(self) -> bool:
        """Whether 0 is outside of the interval."""
        return not self.low <= 0 <= self.high


def paired_difference(one: int, two: int, count: int) -> Difference:
    """The difference of two accuracies on the same images (Newcombe, Stat. Med. 17, 1998, 2635-2650, method 10).

    Args:
        one: The images that the first got right, a bit each.
        two: Those of the second.
        count: Of how many images, at least 1.
    """
    first, second, both = one.bit_count(), two.bit_count(), (one & two).bit_count()
    neither = count - (one | two).bit_count()
    marginals = first * (count - first) * second * (count - second)
    crossed = both * neither - (first - both) * (second - both)
    correlation = 0.0
    if marginals:  # with the continuity correction that the method has for a positive one
        correlation = (max(crossed - count / 2, 0.0) if crossed > 0 else crossed) / math.sqrt(marginals)
    low, high = _square_and_add((first, count), (second, count), correlation)
    return Difference(value=(first - second) / count, low=low, high=high, rows=count, is_paired=True)


def difference(one: float, rows: int, two: float, other_rows: int) -> Difference:
    """The difference of two accuracies as of independent images (Newcombe, Stat. Med. 17, 1998, 873-890, method 10).

    Args:
        one: A share.
        rows: The images that it is of, at least 1.
        two: A share.
        other_rows: The images that it is of, at least 1.
    """
    low, high = _square_and_add((one * rows, rows), (two * other_rows, other_rows), 0.0)
    return Difference(value=one - two, low=low, high=high, rows=min(rows, other_rows), is_paired=False)


def _square_and_add(one: tuple[float, int], two: tuple[float, int], correlation: float) -> tuple[float, float]:
    """The limits of a difference, from the Wilson intervals of both."""
    (first, second), (low, high), (other_low, other_high) = (k / n for k, n in (one, two)), wilson(*one), wilson(*two)

    def reach(down: float, up: float) -> float:
        return math.sqrt(max(0.0, down**2 - 2 * correlation * down * up + up**2))

    value = first - second
    return value - reach(first - low, other_high - second), value + reach(high - first, second - other_low)


def packed(right: Iterable[bool]) -> str:
    """Booleans, at least one, as hexadecimal text: a bit each, the first is the highest."""
    bits = "".join("1" if one else "0" for one in right)
    return f"{int(bits, 2):0{_letters(len(bits))}x}"


def unpacked(text: str, count: int) -> int:
    """The bits of what `packed` was given.

    Raises:
        ValueError: It is not of so many booleans.
    """
    bits = int(text, 16)
    if len(text) != _letters(count) or bits < 0 or bits.bit_length() > count:
        raise ValueError(f"expected {count} bits in {_letters(count)} hexadecimal digits, got {len(text)} letters")
    return bits


def _letters(bits: int) -> int:
    return (bits + 3) // 4


def between(one: Mapping[str, Any], two: Mapping[str, Any]) -> Difference | None:
    """The difference of two evaluations on the same data; None where they do not say of how many images they are.

    Args:
        one: What `evaluate` found: `top1`, and where it is known `rows` and `correct`.
        two: The one to be subtracted.
    """
    if not one.get("rows") or not two.get("rows"):
        return None
    if one["rows"] == two["rows"] and one.get("correct") and two.get("correct"):
        own, other = (unpacked(each["correct"], each["rows"]) for each in (one, two))
        return paired_difference(own, other, one["rows"])
    return difference(one["top1"], one["rows"], two["top1"], two["rows"])

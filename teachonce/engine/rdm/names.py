"""Distortion weights and the targets that are called after them."""

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite

from teachonce.cache.layout import check_name
from teachonce.errors import InputError


def rdm_name(distortion_weight: float) -> str:
    """The target of an RDM: 1e4 is `rdm-10000`, 1.0 `rdm-1`, 0.8 `rdm-0.8`; equal numbers have equal names."""
    return f"rdm-{weight_text(distortion_weight)}"


def weight_text(distortion_weight: float) -> str:
    """All digits of a weight and no exponent."""
    text = format(Decimal(repr(float(distortion_weight))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def named(distortion_weights: Sequence[float]) -> dict[str, float]:
    """Target to its weight, in the order given.

    Raises:
        InputError: No weight, one that is no number, not above 0 and finite, or the same one twice.
    """
    if not distortion_weights:
        raise InputError("no distortion weight was given", "Add --distortion-weight, for example 10000,5000,1000")
    found: dict[str, float] = {}
    for given in distortion_weights:
        try:
            weight = float(given)
        except (TypeError, ValueError):
            raise InputError(f"a distortion weight must be a number, got {given!r}", "Give numbers") from None
        if not (weight > 0 and isfinite(weight)):
            raise InputError(f"a distortion weight must be above 0 and finite, got {weight:g}", "Give another weight")
        name = check_name(rdm_name(weight))
        if name in found:
            raise InputError(f"the distortion weight {weight_text(weight)} is given twice", "Give it once")
        found[name] = weight
    return found

"""What a setting is searched in, as `[tune.space]` writes it: a range or a list of choices."""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from teachonce.options.opt import Value
from teachonce.options.search import Span
from teachonce.pipeline.keys import keys_of

TUNABLE = (  # keys of [[train]] that change neither what is compared nor what it is compared on
    *("lr", "weight_decay", "momentum", "gamma", "warmup_epochs", "label_smoothing"),
    *("batch_size", "optimizer", "schedule"),
)
_LIST_ONLY = ("batch_size", "optimizer", "schedule")


Dim = Span | tuple[Value, ...]
"""A range, or choices without an order."""
_SPAN = keys_of(Span)


def nearest(dim: Dim, value: Value) -> Value:
    """The value of a dimension that is nearest to another; of choices without a nearest one the first."""
    if isinstance(dim, Span):
        return min(max(float(value), dim.low), dim.high)
    if value in dim or not all(_is_number(item) for item in (value, *dim)):
        return value if value in dim else dim[0]
    return min(dim, key=lambda item: abs(float(item) - float(value)))


def ends(dim: Dim) -> tuple[Value, ...]:
    """Values that are refused if any of the dimension is."""
    return (dim.low, dim.high) if isinstance(dim, Span) else dim


def read_space(raw: Mapping[str, Any], methods: Collection[str]) -> tuple[dict[str, Dim], list[str]]:
    """The dimensions of `[tune.space]`, and all that is wrong with it, a line each.

    Args:
        raw: The table; `kd.temperature` may be a key of its own or a table in a table.
        methods: Of the recipe's trainings.
    """
    dims: dict[str, Dim] = {}
    problems = []
    for key, value in _flat(raw):
        try:
            _check_key(key, value, methods)
            dims[key] = _choices(value) if isinstance(value, list) else _span(value)
        except ValueError as error:
            problems.append(f"[tune.space] {key} {error}")
    return dims, problems


def _flat(raw: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`[tune.space]` without the tables that TOML makes of a key with a dot."""
    for key, value in raw.items():
        if isinstance(value, Mapping) and value and not _SPAN.known.keys() & value.keys() and not prefix:
            yield from _flat(value, f"{key}.")
        else:
            yield prefix + key, value


def _check_key(key: str, value: object, methods: Collection[str]) -> None:
    prefix, dot, _ = key.rpartition(".")
    if dot and prefix not in methods:
        raise ValueError(f"is for {prefix}, expected METHOD.NAME of {sorted(set(methods))}")
    if not dot and key not in TUNABLE:
        raise ValueError(f"cannot be searched, expected METHOD.NAME or one of {', '.join(TUNABLE)}")
    if key in _LIST_ONLY and not isinstance(value, list):
        raise ValueError(f"takes a list of choices, got {value!r}")


def _span(raw: object) -> Span:
    if not isinstance(raw, Mapping):
        raise ValueError(f"must be a list or {{low = .., high = .., log = ..}}, got {raw!r}")  # noqa: TRY004
    given, problems = _SPAN.read(raw)
    if problems:
        raise ValueError(f"is no range: {'; '.join(problems)}")
    span = Span(**given)
    if not span.low < span.high:
        raise ValueError(f"is empty: low {span.low:g} is not below high {span.high:g}")
    if span.log and span.low <= 0:
        raise ValueError(f"has log = true, so low must be positive, got {span.low:g}")
    return span


def _choices(values: list[Any]) -> tuple[Value, ...]:
    if not values:
        raise ValueError("is empty: there is nothing to choose from")
    if wrong := [value for value in values if not isinstance(value, str | bool) and not _is_number(value)]:
        raise ValueError(f"must be a list of numbers, texts, or true and false, got {wrong[0]!r} in it")
    if len({(type(value) is bool, value) for value in values}) < len(values):
        raise ValueError(f"has a value twice: {values!r}")
    return tuple(values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

"""What a setting is searched in: a range or a list of choices, as `[tune.space]` writes it."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Value = str | int | float | bool
TUNABLE = (  # keys of [[train]] that change neither what is compared nor what it is compared on
    *("lr", "weight_decay", "momentum", "gamma", "warmup_epochs", "label_smoothing"),
    *("batch_size", "optimizer", "schedule"),
)
_LIST_ONLY = ("batch_size", "optimizer", "schedule")
_RANGE = {"low", "high", "log"}


@dataclass(frozen=True)
class Span:
    """The numbers from `low` to `high`, both included; with `log` their logarithms are drawn evenly."""

    low: float
    high: float
    log: bool = False

    def nearest(self, value: Value) -> float:
        """The value of the range that is nearest to another."""
        return min(max(float(value), self.low), self.high)

    def ends(self) -> tuple[Value, ...]:
        """Values that are refused if any of the range is."""
        return self.low, self.high

    def to_json(self) -> dict[str, Any]:
        """As `[tune.space]` has it."""
        return {"low": self.low, "high": self.high, "log": self.log}


@dataclass(frozen=True)
class Choice:
    """A few values, without an order."""

    values: tuple[Value, ...]

    def nearest(self, value: Value) -> Value:
        """The choice that is nearest to a value; where there is no nearest, the first."""
        if value in self.values or not all(_is_number(item) for item in (value, *self.values)):
            return value if value in self.values else self.values[0]
        return min(self.values, key=lambda item: abs(float(item) - float(value)))

    def ends(self) -> tuple[Value, ...]:
        """Values that are refused if any of the choices is."""
        return self.values

    def to_json(self) -> list[Value]:
        """As `[tune.space]` has it."""
        return list(self.values)


Dim = Span | Choice


def read_space(raw: Mapping[str, Any], methods: Iterable[str]) -> tuple[dict[str, Dim], list[str]]:
    """The dimensions of `[tune.space]`, and all that is wrong with it, a line each.

    Args:
        raw: The table; `kd.temperature` may be a key of its own or a table in a table.
        methods: Of the recipe's trainings.
    """
    dims: dict[str, Dim] = {}
    problems = []
    for key, value in _flat(raw):
        try:
            _check_key(key, value, list(methods))
            dims[key] = read_dim(value)
        except ValueError as error:
            problems.append(f"[tune.space] {key} {error}")
    return dims, problems


def read_dim(value: Any) -> Dim:
    """A list is a choice, a table a range.

    Raises:
        ValueError: It is neither, or empty; the message goes after the key.
    """
    if isinstance(value, list):
        return _choice(value)
    if not isinstance(value, Mapping):
        raise ValueError(  # noqa: TRY004  (told as the others are)
            f"must be a list or {{low = .., high = .., log = ..}}, got {value!r}"
        )
    if unknown := [key for key in value if key not in _RANGE]:
        raise ValueError(f"has unknown {', '.join(unknown)}, expected low, high and log")
    low: Any = value.get("low")
    high: Any = value.get("high")
    log = value.get("log", False)
    if not (_is_number(low) and _is_number(high) and isinstance(log, bool)):
        raise ValueError(f"needs numbers low and high, and log = true or false, got {dict(value)!r}")
    if not low < high:
        raise ValueError(f"is empty: low {low:g} is not below high {high:g}")
    if log and low <= 0:
        raise ValueError(f"has log = true, so low must be positive, got {low:g}")
    return Span(float(low), float(high), log)


def _choice(values: list[Any]) -> Choice:
    if not values:
        raise ValueError("is empty: there is nothing to choose from")
    for value in values:
        if not isinstance(value, str | bool) and not _is_number(value):
            raise ValueError(f"must be a list of numbers, texts, or true and false, got {value!r} in it")
    if len({(type(value) is bool, value) for value in values}) < len(values):
        raise ValueError(f"has a value twice: {values!r}")
    return Choice(tuple(values))


def _check_key(key: str, value: Any, methods: list[str]) -> None:
    prefix, dot, _ = key.rpartition(".")
    if dot and prefix not in methods:
        raise ValueError(f"is for {prefix}, expected METHOD.NAME of {sorted(set(methods))}")
    if not dot and key not in TUNABLE:
        raise ValueError(f"cannot be searched, expected METHOD.NAME or one of {', '.join(TUNABLE)}")
    if key in _LIST_ONLY and not isinstance(value, list):
        raise ValueError(f"takes a list of choices, got {value!r}")


def _flat(raw: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`[tune.space]` without the tables that TOML makes of a key with a dot."""
    for key, value in raw.items():
        if isinstance(value, Mapping) and value and not _RANGE & value.keys() and not prefix:
            yield from _flat(value, f"{key}.")
        else:
            yield prefix + key, value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

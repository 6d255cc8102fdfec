"""Settings of methods: frozen dataclasses, filled from text or values, every mistake told with the nearest name."""

import math
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from teachonce.errors import InputError

S = TypeVar("S", bound="Settings")
Value = str | float | bool
_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every method has. Subclasses add fields: float, int, bool, Literal or `int | Literal`."""

    label_smoothing: float = 0.0
    """Share of a label's probability that is spread over all classes in the `ce` term, in [0, 1)."""

    def check(self, method: str) -> None:
        """Refuse values out of range.

        Raises:
            InputError: The first such value, as METHOD.NAME.
        """
        require(0 <= self.label_smoothing < 1, f"{method}.label_smoothing", self.label_smoothing, "in [0, 1)")


def require(condition: bool, name: str, value: float, expected: str) -> None:
    """Check one value; NaN never passes a comparison.

    Raises:
        InputError: The condition does not hold.
    """
    if not condition:
        raise InputError(f"{name} must be {expected}, got {value:g}", f"Use --set {name}=VALUE with a value {expected}")


def require_weight(name: str, value: float) -> None:
    """Check that a term's weight is not negative and finite.

    Raises:
        InputError: It is not.
    """
    require(0 <= value < math.inf, name, value, "zero or positive")


def fill(kind: type[S], method: str, values: Mapping[str, Value]) -> S:
    """Settings of a method from names and values; text is read as the setting's own type.

    Raises:
        InputError: Unknown names (all at once), a value of another type or out of range.
    """
    hints = typing.get_type_hints(kind)
    known = [field.name for field in fields(kind)]
    if unknown := [name for name in values if name not in known]:
        raise unknown_name(f"method {method} has no setting {', '.join(map(repr, unknown))}", unknown, known)
    settings = kind(**{name: _read(f"{method}.{name}", value, hints[name]) for name, value in values.items()})
    settings.check(method)
    return settings


def unknown_name(message: str, names: Iterable[str], known: Iterable[str]) -> InputError:
    """The error for names that do not exist; its mend has the nearest one for each, and all there are."""
    known = list(known)
    near = dict.fromkeys(match for name in names for match in get_close_matches(name, known, n=1))
    hint = f"Did you mean {', '.join(near)}? " if near else ""
    return InputError(message, f"{hint}There are: {', '.join(known)}")


def _read(name: str, value: Value, hint: Any) -> Any:
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise unknown_name(f"{name} cannot be {value!r}", [str(value)], map(str, get_args(hint)))
        return value
    if get_origin(hint) in (Union, UnionType):
        words = [word for one in get_args(hint) for word in get_args(one)]
        return value if value in words else _int(name, value, words)
    if hint is bool:
        return _bool(name, value)
    if hint is int:
        return _int(name, value)
    assert hint is float, f"{name}: settings of type {hint} are not known"
    return _float(name, value)


def _bool(name: str, value: Value) -> bool:
    word = str(value).strip().lower()
    if word not in _WORDS:
        raise InputError(f"{name} must be true or false, got {value!r}", f"Use --set {name}=true or --set {name}=false")
    return _WORDS[word]


def _int(name: str, value: Value, words: Iterable[str] = ()) -> int:
    try:
        number = _float(name, value)
    except InputError:
        number = math.nan
    if not number.is_integer():
        expected = " or ".join(["a whole number", *words])
        raise InputError(
            f"{name} must be {expected}, got {value!r}", f"Use --set {name}={'|'.join(['NUMBER', *words])}"
        )
    return int(number)


def _float(name: str, value: Value) -> float:
    try:
        if not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise InputError(f"{name} must be a number, got {value!r}", f"Use --set {name}=NUMBER")

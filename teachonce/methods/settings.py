"""Settings of methods: frozen dataclasses, filled from text or values, every mistake told with the nearest name."""

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin

from teachonce.errors import InputError

S = TypeVar("S", bound="Settings")
_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}

Value = str | float | bool


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every method has."""

    label_smoothing: float = 0.0
    """Share of the label's probability spread over all classes in the `ce` term, in [0, 1)."""

    def check(self) -> None:
        """Refuse values out of range.

        Raises:
            InputError: The first such value.
        """
        within("label_smoothing", self.label_smoothing, 0.0, 1.0)


def within(name: str, value: float, low: float, high: float = float("inf")) -> None:
    """Check low <= value < high.

    Raises:
        InputError: It is not.
    """
    if not low <= value < high:
        raise InputError(
            f"{name} must be in [{low:g}, {high:g}), got {value:g}", f"Set {name} to a value in that range"
        )


def positive(name: str, value: float) -> None:
    """Check 0 < value < infinity.

    Raises:
        InputError: It is not.
    """
    if not 0 < value < float("inf"):
        raise InputError(f"{name} must be positive, got {value:g}", f"Set {name} to a positive number")


def fill(kind: type[S], method: str, values: Mapping[str, Value]) -> S:
    """Settings of a method from names and values; text is read as the setting's own type.

    Raises:
        InputError: An unknown name, a value of another type or out of range; all unknown names at once.
    """
    hints = typing.get_type_hints(kind)
    known = [field.name for field in fields(kind)]
    if unknown := [name for name in values if name not in known]:
        raise unknown_name(f"setting of {method}", unknown, known)
    settings = kind(**{name: _read(f"{method}.{name}", value, hints[name]) for name, value in values.items()})
    settings.check()
    return settings


def unknown_name(what: str, names: Iterable[str], known: Iterable[str]) -> InputError:
    """The error for names that do not exist: the nearest one for each, and all there are."""
    known, names = list(known), list(names)
    near = [match for name in names for match in get_close_matches(name, known, n=1)]
    hint = f"Did you mean {', '.join(dict.fromkeys(near))}? " if near else ""
    return InputError(f"no {what} {', '.join(map(repr, names))}", f"{hint}There are: {', '.join(known)}")


def defaults(kind: type[Settings]) -> dict[str, Any]:
    """All settings with their defaults."""
    return {field.name: None if field.default is MISSING else field.default for field in fields(kind)}


def _read(name: str, value: Value, hint: Any) -> Any:
    if get_origin(hint) is Literal:
        return _choice(name, value, get_args(hint))
    if hint is bool:
        return _bool(name, value)
    if hint is float:
        return _float(name, value)
    assert isinstance(hint, type | types.UnionType)
    raise AssertionError(f"{name}: settings of type {hint} are not known")


def _choice(name: str, value: Value, choices: tuple[Any, ...]) -> Any:
    if value in choices:
        return value
    raise unknown_name(f"value of {name}", [str(value)], map(str, choices))


def _bool(name: str, value: Value) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise InputError(f"{name} must be true or false, got {value!r}", f"Use --set {name}=true or --set {name}=false")


def _float(name: str, value: Value) -> float:
    if not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
    raise InputError(f"{name} must be a number, got {value!r}", f"Use for example --set {name}=0.5")

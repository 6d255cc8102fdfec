"""Settings of methods: frozen dataclasses of declared options, filled from text or values."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from teachonce.errors import InputError
from teachonce.options.opt import Opt, Option, Value, options_of

S = TypeVar("S", bound="Settings")
_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every method has. Subclasses add fields: float, int, bool, Literal, `int | Literal`, each with an `Opt`."""

    label_smoothing: Annotated[
        float,
        Opt(help="Share of a label's probability that is spread over all classes in the `ce` term.", min=0, below=1),
    ] = 0.0

    def check(self, method: str) -> None:
        """Refuse values that do not go together.

        Raises:
            InputError: Names the settings as METHOD.NAME.
        """


def require(condition: bool, name: str, value: float, expected: str) -> None:
    """Check one value; NaN never passes a comparison.

    Raises:
        InputError: The condition does not hold.
    """
    if not condition:
        raise InputError(f"{name} must be {expected}, got {value:g}", f"Use --set {name}=VALUE with a value {expected}")


def fill(kind: type[S], method: str, values: Mapping[str, Value]) -> S:
    """Settings of a method from names and values; text is read as the setting's own type.

    Raises:
        InputError: Unknown names (all at once), a value of another type or out of range.
    """
    known = options_of(kind)
    if unknown := [name for name in values if name not in known]:
        raise unknown_name(f"method {method} has no setting {', '.join(map(repr, unknown))}", unknown, known)
    settings = kind(**{name: _value(f"{method}.{name}", value, known[name]) for name, value in values.items()})
    settings.check(method)
    return settings


def unknown_name(message: str, names: Iterable[str], known: Iterable[str]) -> InputError:
    """The error for names that do not exist; its mend has the nearest one for each, and all there are."""
    known = list(known)
    near = dict.fromkeys(match for name in names for match in get_close_matches(name, known, n=1))
    hint = f"Did you mean {', '.join(near)}? " if near else ""
    return InputError(message, f"{hint}There are: {', '.join(known)}")


def _value(name: str, value: Value, option: Option) -> Any:
    read = _read(name, value, option)
    if type(read) in (int, float):
        require(option.opt.allows(read), name, read, option.opt.limits)
    return read


def _read(name: str, value: Value, option: Option) -> Any:
    kinds = option.members
    words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    if value in words:
        return value
    if int in kinds:
        return _int(name, value, words)
    if words:
        raise unknown_name(f"{name} cannot be {value!r}", [str(value)], map(str, words))
    if bool in kinds:
        return _bool(name, value)
    assert float in kinds, f"{name}: settings of type {option.kind} are not known"
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

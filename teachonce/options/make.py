"""From what was given by name to an options object: every value is checked, and all problems are told at once."""

import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin

from teachonce.errors import InputError
from teachonce.options.opt import Opened, Option, options_of
from teachonce.texts import is_whole

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Options = TypeVar("Options")
_SHORT = {
    "Input should be ": "",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "above",
}


def make(kind: type[Options], given: Mapping[str, object]) -> Options:
    """An options object.

    Args:
        kind: Its class.
        given: Values by the names of its fields. What JSON can hold is as good as the type itself: a list for a tuple,
            a text for a path; for a tuple also any iterable, a text with commas, and one value for a tuple of one; for
            settings None, if there are none.

    Raises:
        TypeError: A name that is not among its options, or one that is missing.
        InputError: Values that cannot be used: all of them.
    """
    known = options_of(kind)
    unknown = [name for name in given if name not in known]
    if unknown:
        raise TypeError(f"unexpected option {unknown[0]!r}{near(unknown[0], known)}")
    missing = [name for name, option in known.items() if option.required and name not in given]
    if missing:
        raise TypeError(f"missing option: {', '.join(missing)}")
    values, problems = read(known, given, typed)
    if problems:
        raise InputError("; ".join(problems), "Give other values")
    return kind(**values)


def read(
    known: Mapping[str, Option], given: Mapping[str, object], to_type: Callable[[Option, object], object]
) -> tuple[dict[str, Any], list[str]]:
    """Values in the types of their options, by the names of these, and what is wrong with all others.

    Args:
        known: Options by what they are called in `given`.
        given: As JSON has it. Each is among `known`.
        to_type: `typed`, or what is stricter.
    """
    values: dict[str, Any] = {}
    problems = []
    for key, value in given.items():
        try:
            values[known[key].name] = to_type(known[key], value)
        except ValueError as error:
            problems.append(f"{key}: {error}")
    return values, problems


def typed(option: Option, value: object) -> object:
    """A value of an option in the option's type.

    Args:
        option: The option.
        value: Of its type, or as JSON has it.

    Raises:
        ValueError: Says what was expected, and what was got.
    """
    if value is option.default:
        return value
    if option.opt.none is not None and value == option.opt.none:
        return None
    if option.opened and not isinstance(value, str | Path | None):
        return value
    from pydantic import ValidationError

    ready = prepared(option, value)
    try:
        return _adapter(option.kind, option.opt.min, option.opt.above, option.opt.max).validate_python(ready)
    except ValidationError as error:
        raise ValueError(_problem(error.errors(), option, value)) from None


def prepared(option: Option, value: object) -> object:
    """A value in the type of the option where that loses nothing: tuples, paths and texts, numbers of NumPy.

    Raises:
        ValueError: See `parsed`.
    """
    if option.item is not None and value is not None:
        items = parsed(option, value)
        return tuple(_converted(item, (option.item,)) for item in items) if isinstance(items, tuple) else items
    if option.is_mapping and isinstance(value, Mapping | None):
        return {name: _converted(item, ()) for name, item in (value or {}).items()}
    return _converted(value, option.members)


def _converted(value: object, kinds: Sequence[object]) -> object:
    if isinstance(value, str | Path):
        return Path(value) if Path in kinds else str(value)
    with suppress(ValueError, RuntimeError):  # an array or a tensor of several: told as what it is
        return value.item() if hasattr(value, "item") else value
    return value


def parsed(option: Option, value: object) -> object:
    """The items of a tuple: those of an iterable, of a text with commas between them, or one value as a tuple of one.

    Raises:
        ValueError: An item is missing between commas, or is no number.
    """
    if isinstance(value, str) and not option.opt.repeated:
        words = [word.strip() for word in value.split(",")] if value.strip() else []
        if not all(words):
            raise ValueError(f"expected values with commas between them, got {value!r}")
        return tuple(_number(option.item, word, value) if option.item in (int, float) else word for word in words)
    value = value.tolist() if hasattr(value, "tolist") else value  # arrays, tensors, and numbers of NumPy
    if isinstance(value, str | Path | int | float):
        return (value,)
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, Mapping | bytes) else value


def _number(kind: object, word: str, text: str) -> float:
    with suppress(ValueError):
        if kind is float or is_whole(word):
            return int(word) if kind is int else float(word)
    what = "whole numbers" if kind is int else "numbers"
    raise ValueError(f"expected {what} with commas between them, got {text!r}")


def near(word: str, words: Mapping[str, object] | Sequence[str]) -> str:
    """`, did you mean lr?` for a word that is nearly one of `words`."""
    matches = get_close_matches(word, list(words), n=1)
    return f", did you mean {matches[0]}?" if matches else ""


def _problem(problems: Sequence[Mapping[str, Any]], option: Option, value: object) -> str:
    told = " or ".join(dict.fromkeys(_expected(each["msg"]) for each in problems))
    word = f" or {option.opt.none!r}" if option.opt.none else ""
    return f"{told}{word}, got {value!r}"


def _expected(text: str) -> str:
    for words, short in _SHORT.items():
        text = text.replace(words, short)
    return f"expected {text}"


@lru_cache
def _adapter(kind: object, least: float | None, above: float | None, most: float | None) -> "TypeAdapter[object]":
    from pydantic import ConfigDict, Field, TypeAdapter

    def bounded(part: object) -> Any:
        if get_origin(part) in (typing.Union, types.UnionType):
            members = [bounded(member) for member in get_args(part) if member is not Opened]
            return typing.Union[tuple(members)]  # noqa: UP007 - made of a list
        if get_origin(part) is tuple:
            return tuple[bounded(get_args(part)[0]), ...]  # type: ignore[misc]
        if part is float:
            return Annotated[float, Field(ge=least, gt=above, le=most, allow_inf_nan=False, strict=True)]
        return Annotated[part, Field(ge=least, gt=above, le=most, strict=True)] if part is int else part

    return TypeAdapter(bounded(kind), config=ConfigDict(strict=True))

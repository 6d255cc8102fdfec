"""What a table of a recipe may set, and the reading of one: every value is checked, and all problems are told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from teachonce.options.make import near, read, typed
from teachonce.options.opt import Option, options_of
from teachonce.records import as_json

Options = TypeVar("Options")


@dataclass(frozen=True)
class Keys(Generic[Options]):
    """The keys of a table.

    Attributes:
        kind: The class of the options that it sets.
        known: The options by their keys.
    """

    kind: type[Options]
    known: Mapping[str, Option]

    def read(self, raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """What a table sets, by the names of the options, and what is wrong with it, a line each."""
        missing = [f"{key} is needed" for key, option in self.known.items() if option.required and key not in raw]
        unknown = [f"{key} is unknown{near(key, self.known)}" for key in raw if key not in self.known]
        values, wrong = read(self.known, {key: raw[key] for key in raw if key in self.known}, _typed)
        return values, [*missing, *wrong, *unknown]

    def options(self, given: Mapping[str, Any]) -> Options:
        """The options with what a table sets; those that must be given, and are said by other tables, are empty."""
        own = options_of(self.kind)
        empty = {name: _empty(option) for name, option in own.items() if option.required}
        return self.kind(**{**empty, **{name: value for name, value in given.items() if name in own}})

    def raw(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What a table sets, as a recipe has it."""
        named = {option.name: (key, option) for key, option in self.known.items()}
        return {named[name][0]: _raw(named[name][1], value) for name, value in given.items()}


def keys_of(kind: type[Options], *elsewhere: str, **own: Option) -> Keys[Options]:
    """The options of a class as the keys of a table.

    Args:
        kind: The class.
        elsewhere: The names of those that others say. What says what to do with what is there is in no recipe.
        own: Other keys.
    """
    options = {o.key: o for o in options_of(kind).values() if o.name not in elsewhere and not o.opt.act}
    return Keys(kind, {**options, **own})


def is_list(option: Option | None) -> bool:
    """Whether the value of a key is a list: of numbers, or of what is given one by one. Names are one text."""
    return option is not None and option.item is not None and (option.item is not str or option.opt.repeated)


def _typed(option: Option, value: object) -> object:
    """See `typed`; numbers are a list and names one text, where the Python API and the command line take either."""
    numbers = is_list(option) and not option.opt.repeated
    text = option.opened or (option.item is not None and not is_list(option))
    if (numbers and not isinstance(value, list)) or (text and not isinstance(value, str)):
        raise ValueError(f"expected a valid {'list' if numbers else 'string'}, got {value!r}")
    return typed(option, value)


def _empty(option: Option) -> object:
    return Path() if Path in option.members else () if option.item is not None else ""


def _raw(option: Option, value: Any) -> Any:
    if value is None:
        return option.opt.none
    return ",".join(value) if isinstance(value, tuple) and not is_list(option) else as_json(value)

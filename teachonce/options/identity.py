"""What of the options tells runs apart by its value."""

from collections.abc import Mapping
from typing import Any

from teachonce.options.opt import options_of
from teachonce.records import as_json


def values_of(options: object) -> dict[str, Any]:
    """The options that tell runs apart by their values, as JSON."""
    return {name: as_json(getattr(options, name)) for name in _names(type(options))}


def chosen_of(options: object) -> dict[str, Any]:
    """Those of `values_of` that are not their defaults."""
    defaults = _defaults(type(options))
    return {
        name: value for name, value in values_of(options).items() if name not in defaults or value != defaults[name]
    }


def with_defaults(kind: type, recorded: Mapping[str, Any]) -> dict[str, Any]:
    """What an earlier version recorded, with the defaults of the options that it did not have."""
    return {**_defaults(kind), **recorded}


def _names(kind: type) -> list[str]:
    return [name for name, option in options_of(kind).items() if option.opt.tells == "value"]


def _defaults(kind: type) -> dict[str, Any]:
    known = options_of(kind)
    return {name: as_json(known[name].default) for name in _names(kind) if not known[name].required}

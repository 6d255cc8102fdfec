"""Model specs: `name:key=value,...` for built-in networks, `package.module:factory` for a user's own."""

import importlib
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from teachonce.errors import ModelError

_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def is_factory(spec: str) -> bool:
    """Whether a spec has the form `package.module:factory`."""
    return _FACTORY.fullmatch(spec) is not None


def import_factory(spec: str) -> Callable[..., Any]:
    """Import what `package.module:factory` names.

    Raises:
        ModelError: The module cannot be imported, or holds no such callable.
    """
    module_name, _, path = spec.partition(":")
    try:
        value: Any = importlib.import_module(module_name)
        for part in path.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError) as error:
        mend = "Check the spelling of package.module:factory, and that the package can be imported from here"
        raise ModelError(f"factory {spec!r} cannot be imported: {error}", mend) from error
    if not callable(value):
        raise ModelError(f"factory {spec!r} is a {type(value).__name__}, not a callable", "Name a function or a class")
    factory: Callable[..., Any] = value
    return factory


def parse_options(spec: str, defaults: Mapping[str, int | float | str]) -> dict[str, Any]:
    """Read `name:key=value,...`; a value takes the type of its default.

    Raises:
        ModelError: An unknown key, or a value of another type.
    """
    name, _, text = spec.partition(":")
    options: dict[str, Any] = dict(defaults)
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, _, value = item.partition("=")
        if key not in defaults:
            near = get_close_matches(key, defaults, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise ModelError(f"{name} has no option {key!r}", f"{hint}Its options: {', '.join(defaults)}")
        kind = type(defaults[key])
        try:
            options[key] = kind(value)
        except ValueError as error:
            raise ModelError(f"{spec!r}: {key} must be of type {kind.__name__}, got {value!r}", "Correct it") from error
    return options

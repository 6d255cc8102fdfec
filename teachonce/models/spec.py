"""Model specs: `name:key=value,...` for built-in networks; and initial weights from a seed."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from teachonce.errors import ModelError


def modules_of(specs: Iterable[str]) -> tuple[str, ...]:
    """The modules that a process needs for most models of these specs, and that take long to import."""
    uses_transformers = any(spec.partition(":")[0] in ("vit", "transformers") for spec in specs)
    return ("transformers.models.vit.modeling_vit",) if uses_transformers else ()


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

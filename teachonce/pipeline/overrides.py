"""Keys of a recipe given again on the command line: `teacher.model=google/vit-large-patch16-224-in21k`."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from teachonce.errors import InputError
from teachonce.pipeline.expand import flatten_settings

_EXPECTED = "Use --set TABLE.KEY=VALUE, such as --set teacher.model=NAME or --set train.epochs=2"


def overridden(raw: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A recipe with other values; which keys there are is checked afterwards, as those of the file.

    Args:
        raw: As TOML reads it.
        overrides: `TABLE.KEY=VALUE`. A value is TOML, or else a text. `train`, `rdm` and `assistant` are all tables of
            that name; a method's setting is `train.set.METHOD.NAME`. A table that is not there is added.

    Raises:
        InputError: Not of that form, or of a table of an array that has none.
    """
    changed = deepcopy(dict(raw))
    for override in overrides:
        path, equals, text = override.partition("=")
        *tables, key = _path(path)
        if not (equals and tables and all(tables) and key):
            raise InputError(f"cannot read {override!r}", _EXPECTED)
        for table in _tables(changed, tables, override):
            table.pop(key.replace("_", "-"), None)
            table[key] = _value(text.strip())
    return changed


def _path(text: str) -> list[str]:
    """The tables, and the key in the last; METHOD.NAME, a method's setting, is one key."""
    names = [name.strip() for name in text.split(".")]
    if "set" in names:
        own = names.index("set") + 1
        return [*(name.replace("-", "_") for name in names[:own]), ".".join(names[own:])]
    return [name.replace("-", "_") for name in names]


def _tables(raw: dict[str, Any], names: Sequence[str], override: str) -> Iterator[dict[str, Any]]:
    """The tables that a path names: several of an array."""
    if not names:
        yield raw
        return
    name, *rest = names
    if name in ("train", "rdm", "assistant") and name not in raw:
        raise InputError(f"{override!r}: the recipe has no [[{name}]]", _EXPECTED)
    inner = raw.setdefault(name, {})
    if name == "set":
        raw[name] = inner = flatten_settings(inner)
    for table in inner if isinstance(inner, list) else [inner]:
        if isinstance(table, dict):  # what else it may be is told when the recipe is checked
            yield from _tables(table, rest, override)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text

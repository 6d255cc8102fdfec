"""The methods as recipes, help, completion and tuning know them, without importing one; and the options of `methods`.

`methods.json` is made from the files of `teachonce/methods/` by scripts/generate.py, and compared by a test.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from teachonce.errors import InputError
from teachonce.options import shared
from teachonce.options.opt import Opt, Value
from teachonce.options.search import Around, Search, Span

Takes = Literal["rdm", "assistants"]


@dataclass(frozen=True, kw_only=True)
class SettingEntry:
    """One setting of a method."""

    default: Value | None
    help: str
    kind: str
    """Its type and limits in words, such as `number, positive`."""
    search: Search | None = None


@dataclass(frozen=True, kw_only=True)
class MethodEntry:
    """What is known of a method without importing it."""

    name: str
    module: str
    """Below `teachonce.methods`."""
    kind: str
    """The name of its class."""
    text: str
    """What it is, and its source."""
    needs: frozenset[str]
    """Signals of a teacher, with the default settings."""
    takes: Takes | None
    needs_extras: bool
    settings: Mapping[str, SettingEntry]


def _entries() -> tuple[dict[str, MethodEntry], dict[str, str]]:
    raw: dict[str, Any] = json.loads(files("teachonce.options").joinpath("methods.json").read_text(encoding="utf-8"))
    return {name: _entry(name, one) for name, one in raw["methods"].items()}, raw["losses"]


def _entry(name: str, raw: Mapping[str, Any]) -> MethodEntry:
    settings = {key: SettingEntry(**{**one, "search": _search(one["search"])}) for key, one in raw["settings"].items()}
    return MethodEntry(**{**raw, "name": name, "needs": frozenset(raw["needs"]), "settings": settings})


def _search(raw: Mapping[str, Any] | None) -> Search | None:
    return None if raw is None else Around(**raw) if "factor" in raw else Span(**raw)


METHODS, LOSSES = _entries()
"""All methods by name; and the public losses: name -> the module below `teachonce.methods` that has it."""


def parts_of(method: str) -> tuple[MethodEntry, ...]:
    """The methods that `--method` names: one, or those of a sum such as `kd+clip-teacher-kd`.

    Raises:
        InputError: There is no such method, or one is named twice.
    """
    names = method.split("+")
    for index, name in enumerate(names):
        if name not in METHODS:
            near = get_close_matches(name, METHODS, n=1)
            hint = f"Did you mean {near[0]}? " if near else ""
            raise InputError(f"no method {name!r}", f"{hint}There are: {', '.join(METHODS)}")
        if name in names[:index]:
            raise InputError(f"method {name} is twice in {method}", "Name it once")
    return tuple(METHODS[name] for name in names)


def is_method(method: str) -> bool:
    """Whether `parts_of` accepts it."""
    names = method.split("+")
    return all(name in METHODS for name in names) and len(set(names)) == len(names)


def takes(method: str) -> Takes | None:
    """Which targets beside the main one a method takes; None for none, and for what is no method."""
    if not is_method(method):
        return None
    return next((part.takes for part in parts_of(method) if part.takes), None)


def needs_extras(method: str) -> bool:
    """Whether a method is nothing without targets beside the main one."""
    return is_method(method) and any(part.needs_extras for part in parts_of(method))


def completions(incomplete: str) -> list[str]:
    """The names that a shell offers after `--method`."""
    head, plus, _ = incomplete.rpartition("+")
    return [f"{head}{plus}{name}" for name in METHODS if name not in head.split("+")]


@dataclass(frozen=True, kw_only=True)
class MethodsOptions:
    """List the methods: source, signals that they need, settings."""

    method: Annotated[
        str | None,
        Opt(
            help="Describe this one, or the parts of a sum.",
            metavar="METHOD",
            argument=True,
            words="options.methods:completions",
        ),
    ] = None
    store: Annotated[
        Path | None, Opt(help="Add the bytes that each reads of a sample of this store.", metavar="STORE")
    ] = None
    target: shared.Target = "teacher"

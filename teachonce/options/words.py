"""Options as the words of a command line, so that what a run was given can be given again."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from teachonce.options.opt import Option, options_of
from teachonce.options.train import TrainOptions
from teachonce.types import JsonObject


def command_words(kind: type, given: Mapping[str, Any]) -> list[str]:
    """The words of a command after its verb.

    Args:
        kind: The class of its options.
        given: By their names, as JSON. Names of settings are METHOD.NAME. What is None is left out, as absent is what
            it means, but where it has a word of its own.
    """
    known = options_of(kind)
    return [word for name, value in given.items() for word in _words(known[name], value)]


def _words(option: Option, value: Any) -> list[str]:
    flag = [] if option.opt.argument else [option.flag]
    if option.is_mapping:
        return [word for name, setting in value.items() for word in (*flag, f"{name}={setting_text(setting)}")]
    if value is None:
        return [] if option.opt.none is None else [*flag, option.opt.none]
    if isinstance(value, bool):
        off = [f"--no-{flag[0][2:]}"] if option.default is True else []
        return flag if value else off
    if option.item is None:
        return [*flag, str(value)]
    items = [str(item) for item in (value if isinstance(value, list | tuple) else [value])]
    if option.opt.repeated:
        return [word for item in items for word in (*flag, item)]
    return [*flag, ",".join(items)] if items else []


def setting_text(value: Any) -> str:
    """A value as the command line takes it: `true`, `0.5`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def given_options(options: object) -> dict[str, Any]:
    """The options that are not their defaults, as JSON, but those that say what to do with what is there.

    Args:
        options: An options object. What is no JSON, such as opened data, is left out.
    """
    known = options_of(type(options))
    values = {each.name: getattr(options, each.name) for each in fields(options)}  # type: ignore[arg-type]
    names = [name for name, value in values.items() if not known[name].opt.act and value != known[name].default]
    given = {name: _plain(values[name]) for name in names}
    return {name: value for name, value in given.items() if isinstance(value, str | int | float | list | None)}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


def data_options(description: JsonObject) -> dict[str, Any]:
    """The options by which opened data is opened again, from its description."""
    known = {"data": str(description.get("source", "DATA")), "limit": description.get("rows")}
    names = [name for name, option in options_of(TrainOptions).items() if option.opt.table == "data"]
    told = {name: description[name] for name in names if name not in known and description.get(name) is not None}
    unlabelled = {"label_column": "none"} if description.get("label_column", "") is None else {}
    return {**known, **told, **unlabelled}

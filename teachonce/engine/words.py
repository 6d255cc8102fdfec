"""Options as the words of a command line, so that what is told of a run can be given again."""

from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

ACTS = ("repair",)
"""Options that say what to do with what is there: they make no other numbers, and no recipe has them."""
_ON = ("squared_temperature",)  # options that are on where they are not named
_DATA = ("split", "image_column", "label_column", "key_column")


def command_words(options: Mapping[str, Any]) -> list[str]:
    """The words of a command after its verb, from its options by the names of the stage's keywords.

    Names of `settings` are METHOD.NAME. An option that is None is left out: absent is what None means to every stage,
    but for `per_class`, which is `all`.
    """
    return [word for key, value in options.items() for word in _words(key, value)]


def _words(key: str, value: Any) -> list[str]:
    option = f"--{key.replace('_', '-')}"
    if key == "settings":
        return [word for name, setting in value.items() for word in ("--set", f"{name}={setting_text(setting)}")]
    if key == "places":
        return list(value)
    if key == "out" and isinstance(value, list):
        return [word for place in value for word in (option, place)]
    if key == "per_class" and value is None:
        return [option, "all"]
    if isinstance(value, bool):
        off = [f"--no-{option[2:]}"] if key in _ON else []
        return [option] if value else off
    if isinstance(value, list | tuple):
        return [option, ",".join(map(str, value))] if value else []
    return [] if value is None else [option, str(value)]


def setting_text(value: Any) -> str:
    """A value as the command line takes it: `true`, `0.5`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def given_options(stage: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call as JSON: all that are not their defaults, by the stage's keywords, but no acts.

    Args:
        stage: The function that was called.
        arguments: Its parameters and what they were given. What is no JSON, such as opened data, is left out.
    """
    defaults = {name: parameter.default for name, parameter in signature(stage).parameters.items()}
    names = [name for name, default in defaults.items() if name not in ACTS and arguments[name] != default]
    given = {name: _plain(arguments[name]) for name in names}
    return {name: value for name, value in given.items() if isinstance(value, str | int | float | list | None)}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


def data_options(description: Mapping[str, Any]) -> dict[str, Any]:
    """The options by which opened data is opened again, from its description."""
    told = {key: description[key] for key in _DATA if description.get(key) is not None}
    unlabelled = {"label_column": "none"} if description.get("label_column", "") is None else {}
    return {"data": str(description.get("source", "DATA")), "limit": description.get("rows"), **told, **unlabelled}

"""What `generate.py` makes from the files of `teachonce/methods/`: an index, a stub and a page."""

import inspect
import json
import types
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import teachonce.methods
from teachonce.methods.method import Method
from teachonce.options.opt import Option, options_of
from teachonce.signals import of_rows, signal

FOLDER = Path(teachonce.methods.__file__).parent


@cache
def modules() -> dict[str, types.ModuleType]:
    """The modules of the folder, by name."""
    names = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
    return {name: import_module(f"teachonce.methods.{name}") for name in names}


def _defined(module: types.ModuleType) -> list[Any]:
    """What the `__all__` of a module names, if it is defined there."""
    named = [getattr(module, name) for name in getattr(module, "__all__", ())]
    return [each for each in named if getattr(each, "__module__", "") == module.__name__]


@cache
def found() -> dict[str, tuple[str, type[Method]]]:
    """All methods: name -> module and class."""
    methods = {
        each.name: (name, each)
        for name, module in modules().items()
        for each in _defined(module)
        if isinstance(each, type) and issubclass(each, Method) and "name" in vars(each)
    }
    return dict(sorted(methods.items()))


@cache
def losses() -> dict[str, tuple[str, Callable[..., Any]]]:
    """All public losses: name -> module and function."""
    functions = {
        each.__name__: (name, each)
        for name, module in modules().items()
        for each in _defined(module)
        if inspect.isfunction(each)
    }
    return dict(sorted(functions.items()))


def text_of(name: str) -> str:
    """What a method is, and its source: the first line of its file, without its name."""
    module, _ = found()[name]
    return inspect.cleandoc(modules()[module].__doc__ or "").split("\n")[0].removeprefix(f"`{name}`: ")


def kind_of(option: Option) -> str:
    """The type and the limits of a setting, in words."""
    words = [str(word) for kind in option.members if get_origin(kind) is Literal for word in get_args(kind)]
    names = {bool: "true or false", int: "whole number", float: "number"}
    names_of = [names[kind] for kind in option.members if isinstance(kind, type)]
    limits = f", {option.opt.limits}" if option.opt.limits != "finite" else ""
    return " or ".join([*(f"{name}{limits}" for name in names_of), *words])


def _setting(option: Option) -> dict[str, Any]:
    search = None if option.opt.search is None else asdict(option.opt.search)
    return {"default": option.default, "help": option.opt.help, "kind": kind_of(option), "search": search}


def index() -> str:
    """The text of methods.json."""
    methods = {
        name: {
            "module": module,
            "kind": kind.__name__,
            "text": text_of(name),
            "needs": sorted(kind.needs),
            "takes": kind.takes,
            "needs_extras": kind.needs_extras,
            "settings": {key: _setting(option) for key, option in options_of(kind.settings_type).items()},
        }
        for name, (module, kind) in found().items()
    }
    where = {name: module for name, (module, _) in losses().items()}
    return json.dumps({"methods": methods, "losses": where}, indent=1) + "\n"


def stub() -> str:
    """The text of losses.pyi."""
    lines = [f"from teachonce.methods.{module} import {name} as {name}" for name, (module, _) in losses().items()]
    names = ", ".join(f'"{name}"' for name in losses())
    head = '"""Made by scripts/generate.py from the files of the methods: do not edit."""'
    return "\n".join([head, "", *lines, "", f"__all__ = [{names}]", ""])


def page() -> str:
    """The text of docs/methods.md."""
    parts = [
        "# Methods",
        "",
        "Made by `scripts/generate.py` from `teachonce/methods/`: do not edit.",
        "",
        *_INTRODUCTION,
    ]
    for name in found():
        parts += [*_method(name), ""]
    parts += ["## Losses", "", "Pure functions of tensors, in `teachonce.losses`.", "", "| | |", "|---|---|"]
    parts += [f"| `{name}` | {_first(function)} |" for name, (_, function) in losses().items()]
    return "\n".join([*parts, ""])


_INTRODUCTION = [
    "`teachonce methods` lists them; `teachonce methods METHOD --store STORE` also says how many bytes of a sample a",
    'method reads. A setting is given as `--set METHOD.NAME=VALUE`, in Python as `settings={"NAME": VALUE}`.',
    "`--method kd+clip-teacher-kd` trains with the sum of both losses; its settings are named `kd.temperature`.",
    "To add a method, see [extending.md](extending.md).",
    "",
]


def _method(name: str) -> Iterator[str]:
    module, kind = found()[name]
    _, *formula = inspect.cleandoc(modules()[module].__doc__ or "").split("\n")
    text = text_of(name)
    yield from (f"## {name}", "", text[0].upper() + text[1:], *formula, "")
    yield from (inspect.cleandoc(kind.__doc__ or ""), "")
    if kind.needs:
        rows = of_rows(kind.needs)
        each = [*(f"{signal(one).text} of each sample" for one in rows)]
        each += [f"{signal(one).text}" for one in sorted(kind.needs - {*rows})]
        extras = {
            "rdm": " It takes RDMs beside the teacher (`--rdm`).",
            "assistants": " It takes assistants beside the teacher (`--assistants`).",
        }
        yield from (f"It reads {' and '.join(each)}.{extras.get(kind.takes or '', '')}", "")
    yield from (
        inspect.cleandoc(kind.settings_type.__doc__ or ""),
        "",
        "| setting | default | values | |",
        "|---|---|---|---|",
    )
    for key, option in options_of(kind.settings_type).items():
        default = (
            ""
            if option.default is None
            else f"`{str(option.default).lower() if isinstance(option.default, bool) else _number(option.default)}`"
        )
        yield f"| `{key}` | {default} | {kind_of(option)} | {option.opt.help} |"


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _first(function: Callable[..., Any]) -> str:
    return inspect.cleandoc(function.__doc__ or "").split("\n")[0].replace("|", "\\|")

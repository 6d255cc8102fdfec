"""Methods by name, with their settings. A new method is a file of its own in this folder."""

from collections.abc import Mapping, Sequence
from importlib import import_module

from teachonce.errors import InputError
from teachonce.methods.method import Method
from teachonce.methods.settings import fill, unknown_name
from teachonce.methods.summed import Summed
from teachonce.options.methods import METHODS, MethodEntry, parts_of, takes
from teachonce.options.opt import Value


def make_method(name: str, settings: Mapping[str, Value] | None = None, extras: Sequence[str] = ()) -> Method:
    """A method with its settings.

    Args:
        name: One of METHODS, or a sum such as `kd+clip-teacher-kd`.
        settings: Setting -> value or text. A name may carry its method: `kd.temperature`; such settings of other
            methods are checked and left out, so that one mapping serves several methods. Those of a sum all do, but
            for what each part has: `label_smoothing`.
        extras: The names of targets beside the main one, for methods that take some: RDMs, assistants.

    Raises:
        InputError: An unknown method or setting (with the nearest name and all there are), or a wrong value; extras
            that the method takes not, or lacks, or twice the same.
    """
    parts = parts_of(name)
    given = _by_method(parts, settings or {})
    for other in given.keys() - {part.name for part in parts}:
        fill(method_class(other).settings_type, other, given[other])
    _check_extras(name, parts, extras)
    made = [_made(part, given.get(part.name, {}), extras if part.takes else ()) for part in parts]
    return made[0] if len(made) == 1 else Summed(made, extras)


def method_class(name: str) -> type[Method]:
    """The class of a method: its file is imported now."""
    entry = METHODS[name]
    found: type[Method] = getattr(import_module(f"teachonce.methods.{entry.module}"), entry.kind)
    return found


def _made(part: MethodEntry, settings: Mapping[str, Value], extras: Sequence[str]) -> Method:
    kind = method_class(part.name)
    return kind(fill(kind.settings_type, part.name, settings), extras)


def _by_method(parts: Sequence[MethodEntry], settings: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """Method -> its settings by their own names."""
    given: dict[str, dict[str, Value]] = {}
    for key, value in settings.items():
        method, dot, setting = key.rpartition(".")
        if dot and method not in METHODS:
            raise unknown_name(f"no method {method!r}", [method], METHODS)
        shared = len(parts) == 1 or setting == "label_smoothing"
        if not dot and not shared:
            example = next((part.name for part in parts if setting in part.settings), parts[0].name)
            raise InputError(f"setting {setting} of a sum has no method", f"Use {example}.{setting}")
        for name in [method] if dot else [part.name for part in parts]:
            if setting in given.setdefault(name, {}):
                raise InputError(f"{setting} of {name} is set twice", f"Set {name}.{setting} once")
            given[name][setting] = value
    return given


def _check_extras(name: str, parts: Sequence[MethodEntry], extras: Sequence[str]) -> None:
    kind = takes(name)
    if extras and kind is None:
        takers = ", ".join(other for other, entry in METHODS.items() if entry.takes)
        mend = f"Leave them out, or use a method that takes some: {takers}"
        raise InputError(f"method {name} takes one target, got also {', '.join(extras)}", mend)
    if any(part.needs_extras for part in parts) and not extras:
        mend = f"Name targets of the store: --{kind} NAME,NAME (`teachonce embed --teacher RUN --name NAME`)"
        raise InputError(f"method {name} needs {kind} beside the teacher, got none", mend)
    twice = [extra for index, extra in enumerate(extras) if extra in extras[:index]]
    if twice:
        raise InputError(f"method {name}: {twice[0]} is given twice", f"Name it once in --{kind}")

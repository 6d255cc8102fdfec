"""All methods by name. A new one is a file of its own and a line here."""

from collections.abc import Mapping, Sequence

from teachonce.errors import InputError
from teachonce.methods.ce import Ce
from teachonce.methods.cifd import Cifd
from teachonce.methods.clip_embed_kd import ClipEmbedKd
from teachonce.methods.clip_teacher_kd import ClipTeacherKd
from teachonce.methods.dgkd import Dgkd
from teachonce.methods.kd import Kd
from teachonce.methods.method import Method, total
from teachonce.methods.requirements import missing, require_class_means
from teachonce.methods.settings import Value, fill, unknown_name
from teachonce.methods.vanilla_kd import VanillaKd

__all__ = ["METHODS", "Method", "make_method", "missing", "require_class_means", "total"]

METHODS: dict[str, type[Method]] = {
    "ce": Ce,
    "kd": Kd,
    "vanilla-kd": VanillaKd,
    "clip-embed-kd": ClipEmbedKd,
    "clip-teacher-kd": ClipTeacherKd,
    "dgkd": Dgkd,
    "cifd": Cifd,
}


def make_method(name: str, settings: Mapping[str, Value] | None = None, extras: Sequence[str] = ()) -> Method:
    """A method with its settings.

    Args:
        name: One of METHODS.
        settings: Setting -> value or text. A name may carry its method: `kd.temperature`; such settings of other
            methods are checked and left out, so that one mapping serves several methods.
        extras: The names of targets beside the main one, for methods that take some: RDMs, assistants.

    Raises:
        InputError: An unknown method or setting (with the nearest name and all there are), or a wrong value; extras
            that the method takes not, or lacks, or twice the same.
    """
    if name not in METHODS:
        raise unknown_name(f"no method {name!r}", [name], METHODS)
    own: dict[str, Value] = {}
    others: dict[str, dict[str, Value]] = {}
    for key, value in (settings or {}).items():
        method, dot, setting = key.rpartition(".")
        if dot and method not in METHODS:
            raise unknown_name(f"no method {method!r}", [method], METHODS)
        target = own if method in ("", name) else others.setdefault(method, {})
        if setting in target:
            raise InputError(f"{setting} of {name} is set twice", f"Set {name}.{setting} once")
        target[setting] = value
    for method, values in others.items():
        fill(METHODS[method].settings_type, method, values)
    _check_extras(name, extras)
    return METHODS[name](fill(METHODS[name].settings_type, name, own), extras)


def _check_extras(name: str, extras: Sequence[str]) -> None:
    kind = METHODS[name]
    if extras and kind.takes is None:
        takers = ", ".join(other for other, method in METHODS.items() if method.takes)
        mend = f"Leave them out, or use a method that takes some: {takers}"
        raise InputError(f"method {name} takes one target, got also {', '.join(extras)}", mend)
    if kind.needs_extras and not extras:
        mend = f"Name targets of the store: --{kind.takes} NAME,NAME (`teachonce embed --teacher RUN --name NAME`)"
        raise InputError(f"method {name} needs {kind.takes} beside the teacher, got none", mend)
    twice = [extra for index, extra in enumerate(extras) if extra in extras[:index]]
    if twice:
        raise InputError(f"method {name}: {twice[0]} is given twice", f"Name it once in --{kind.takes}")

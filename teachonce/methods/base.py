"""All methods by name. A new one is a file of its own and a line here."""

from collections.abc import Mapping

from teachonce.errors import InputError
from teachonce.methods.ce import Ce
from teachonce.methods.clip_embed_kd import ClipEmbedKd
from teachonce.methods.clip_teacher_kd import ClipTeacherKd
from teachonce.methods.kd import Kd
from teachonce.methods.method import Method, total
from teachonce.methods.requirements import missing, require_class_means
from teachonce.methods.settings import Value, fill, unknown_name

__all__ = ["METHODS", "Method", "make_method", "missing", "require_class_means", "total"]

METHODS: dict[str, type[Method]] = {
    "ce": Ce,
    "kd": Kd,
    "clip-embed-kd": ClipEmbedKd,
    "clip-teacher-kd": ClipTeacherKd,
}


def make_method(name: str, settings: Mapping[str, Value] | None = None) -> Method:
    """A method with its settings.

    Args:
        name: One of METHODS.
        settings: Setting -> value or text. A name may carry its method: `kd.temperature`; such settings of other
            methods are checked and left out, so that one mapping serves several methods.

    Raises:
        InputError: An unknown method or setting (with the nearest name and all there are), or a wrong value.
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
    return METHODS[name](fill(METHODS[name].settings_type, name, own))

"""Makes what is generated: from the options classes and from the files of the methods.

`teachonce/__init__.pyi` and `docs/options.md`; `teachonce/options/methods.json`, `teachonce/losses.pyi` and
`docs/methods.md`.

python scripts/generate.py          # write them
python scripts/generate.py --check  # exit 1 where one of them is not what would be written
"""

import argparse
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import generate_methods as methods

import teachonce
from teachonce.options.opt import Option, options_of
from teachonce.options.verbs import VERBS, Verb

ROOT = Path(__file__).resolve().parents[1]
OPENED = {"data": "Samples", "teacher": "Teacher"}
"""What the Python API takes in the place of a name, by option."""
_HEAD = '''"""Made by scripts/generate.py from the options classes: do not edit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, overload

'''


def verbs() -> dict[str, Verb]:
    """The functions of the Python API that are made from options classes."""
    return {name: verb for name, verb in VERBS.items() if name in teachonce.__all__}


def stub() -> str:
    """The text of `__init__.pyi`."""
    homes = teachonce._HOMES.items()
    imports = {f"from {home} import {name} as {name}" for name, home in homes if name not in verbs()}
    imports |= {"from teachonce.data.samples import Samples", "from teachonce.models.teacher import Teacher"}
    imports |= {"from teachonce.events import Events", "from teachonce import losses as losses"}
    functions = []
    for name, verb in verbs().items():
        result = _result(name)
        imports |= {f"from {part.__module__} import {part.__name__}" for part in result}
        functions.append(_function(name, verb, " | ".join(part.__name__ for part in result)))
    names = ", ".join(f'"{name}"' for name in sorted(teachonce.__all__))
    return "\n".join(
        [_HEAD + "\n".join(sorted(imports)), "", "__version__: str", f"__all__ = [{names}]", "", *functions]
    )


def _result(name: str) -> tuple[type, ...]:
    """The classes of a function's results."""
    kind = get_type_hints(getattr(teachonce, name))["return"]
    return get_args(kind) or (kind,)


def _function(name: str, verb: Verb, result: str) -> str:
    known = options_of(verb.kind)
    places = [option for option in known.values() if option.opt.argument]
    named = [option for option in known.values() if not option.opt.argument]
    parameters = [*map(_parameter, places), "*", *map(_parameter, sorted(named, key=lambda each: not each.required))]
    lines = "".join(f"    {parameter},\n" for parameter in [*parameters, "events: Events = ..."])
    doc = "\n".join(f"    {line}".rstrip() for line in (getattr(teachonce, name).__doc__ or "").strip().splitlines())
    return (
        f"@overload\ndef {name}(options: {verb.kind.__name__}, /, *, events: Events = ...) -> {result}: ...\n"
        f'@overload\ndef {name}(\n{lines}) -> {result}:\n    """{doc.strip()}\n    """\n'
    )


def _parameter(option: Option) -> str:
    default = "" if option.default is MISSING else " = ..."
    return f"{option.name}: {_kind(option)}{default}"


def _kind(option: Option) -> str:
    """The type that the Python API takes: texts for paths, any sequence or one value for a tuple."""
    own = [OPENED[option.name]] if option.opened else []
    parts = [name for part in option.members for name in _names(part, opened=option.opened)]
    return " | ".join(dict.fromkeys([*parts, *own, *(["None"] if types.NoneType in get_args(option.kind) else [])]))


def _names(part: object, *, opened: bool) -> Iterator[str]:
    if get_origin(part) is tuple:
        item = " | ".join(_names(get_args(part)[0], opened=False))
        yield from (item, f"Sequence[{item}]")
    elif part is Path or (part is str and opened):
        yield from ("str", "Path")
    elif get_origin(part) is typing.Literal:
        yield f"Literal[{', '.join(map(repr, get_args(part)))}]".replace("'", '"')
    elif get_origin(part) is Mapping:
        yield from ("Mapping[str, str | int | float | bool]", "None")
    else:
        yield getattr(part, "__name__", str(part))


def page() -> str:
    """The text of docs/options.md."""
    parts = ["# Options", "", "Made by `scripts/generate.py` from `teachonce/options/`: do not edit.", ""]
    for name, verb in VERBS.items():
        parts += [f"## teachonce {name}", "", (verb.kind.__doc__ or "").strip().split("\n")[0], ""]
        parts += ["| option | default | |", "|---|---|---|", *map(_row, options_of(verb.kind).values()), ""]
    return "\n".join(parts)


def _row(option: Option) -> str:
    name = option.opt.metavar if option.opt.argument else option.flag
    text = option.opt.help.replace("|", "\\|")
    return f"| `{name}` | {_default(option)} | {text} |"


def _default(option: Option) -> str:
    if option.required:
        return "required"
    if option.default in (None, (), {}, False):
        return ""
    return f"`{str(option.default).lower() if isinstance(option.default, bool) else option.default}`"


FILES = {
    "teachonce/options/methods.json": methods.index,
    "teachonce/__init__.pyi": stub,
    "teachonce/losses.pyi": methods.stub,
    "docs/options.md": page,
    "docs/methods.md": methods.page,
}


def main() -> int:
    """Exit code: 1 where a file is not what would be written, with `--check`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    different = []
    for name, made in FILES.items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != made():
            different.append(name)
            if not check:
                path.write_text(made(), encoding="utf-8")
    for name in different:
        sys.stdout.write(f"{name}: {'differs; run scripts/generate.py' if check else 'written'}\n")
    return int(check and bool(different))


if __name__ == "__main__":
    sys.exit(main())

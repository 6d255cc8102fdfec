"""What a field of an options class says beside its name, its type and its default."""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, get_args, get_origin

if TYPE_CHECKING:
    from teachonce.options.search import Search

Value = bool | int | float | str
"""A setting of a method."""


class Opened(Protocol):
    """Data that was opened, or a teacher that was loaded: the Python API takes them in the place of their names."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opt:
    """Declares an option: `lr: Annotated[float, Opt(help="Maximum learning rate.", above=0)] = 1e-3`.

    Attributes:
        help: What it is, one sentence.
        python: The same for the Python API, where that takes it in another form.
        panel: The heading that `--help` lists it under.
        metavar: What `--help` shows in the place of a value.
        min: The least value; of a tuple, of each item.
        above: The value must be larger.
        max: The largest value.
        below: The value must be smaller.
        search: Where `tune` searches it (a `Span` or `Around` of `options.search`); None: not at all.
        words: `module:function` below `teachonce` of what a shell completes, without importing torch.
        key: Its name on the command line and in recipes, where that is not the field's.
        none: The word that stands for None on the command line and in recipes.
        argument: A positional argument of the command line.
        rare: `--help` leaves it out, and says how to see it.
        repeated: The values of a tuple are given one by one, not with commas between them.
        tells: How it tells runs apart: by its `value`; by the `content` that it names or its effect, which the stage
            puts into the identity; or `nothing`: a place, the machine, or what to do with what is there.
        table: The table of a recipe that says it for every command that has it: `data` or `teacher`.
        takes: It belongs to the methods that take these targets beside the main one: `rdm` or `assistants`.
        act: It says what to do with what is there: a command that is printed or planned never has it.
    """

    help: str
    python: str | None = None
    panel: str | None = None
    metavar: str | None = None
    min: float | None = None
    above: float | None = None
    max: float | None = None
    below: float | None = None
    search: "Search | None" = None
    words: str | None = None
    key: str | None = None
    none: str | None = None
    argument: bool = False
    rare: bool = False
    repeated: bool = False
    tells: Literal["value", "content", "nothing"] = "value"
    table: Literal["data", "teacher"] | None = None
    takes: Literal["rdm", "assistants"] | None = None
    act: bool = False

    def allows(self, value: float) -> bool:
        """Whether a number is finite and within the limits."""
        low = (self.min is None or value >= self.min) and (self.above is None or value > self.above)
        high = (self.max is None or value <= self.max) and (self.below is None or value < self.below)
        return low and high and isfinite(value)

    @property
    def limits(self) -> str:
        """The limits in words, such as `in (0, 100]`; `finite` where there are none."""
        low = f"[{self.min:g}" if self.min is not None else f"({self.above:g}" if self.above is not None else ""
        high = f"{self.max:g}]" if self.max is not None else f"{self.below:g})" if self.below is not None else ""
        if low and high:
            return f"in {low}, {high}"
        if low:
            return {"(0": "positive", "[0": "zero or positive"}.get(
                low, f"{'at least' if low[0] == '[' else 'above'} {low[1:]}"
            )
        return f"{'at most' if high[-1] == ']' else 'below'} {high[:-1]}" if high else "finite"


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of a class.

    Attributes:
        name: Of the field, and of the keyword in Python.
        kind: Its type.
        default: Its default; MISSING where it must be given.
        opt: The rest of its declaration.
    """

    name: str
    kind: object
    default: object
    opt: Opt

    @property
    def key(self) -> str:
        """Its name in recipes."""
        return self.opt.key or self.name

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return f"--{self.key.replace('_', '-')}"

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is MISSING

    @property
    def members(self) -> tuple[object, ...]:
        """The types that it may have beside None: one, as a rule."""
        parts = get_args(self.kind) if get_origin(self.kind) in (typing.Union, types.UnionType) else (self.kind,)
        return tuple(part for part in parts if part not in (types.NoneType, Opened))

    @property
    def opened(self) -> bool:
        """Whether the Python API takes an object in the place of a name."""
        return Opened in get_args(self.kind)

    @property
    def item(self) -> object | None:
        """The type of its items, where it is a tuple."""
        return next((get_args(part)[0] for part in self.members if get_origin(part) is tuple), None)

    @property
    def is_mapping(self) -> bool:
        """Whether it holds settings by name."""
        return any(get_origin(part) is Mapping for part in self.members)


_KNOWN: dict[type, dict[str, Option]] = {}


def options_of(kind: type) -> dict[str, Option]:
    """The options of a class by their names, its own before those of its bases.

    Args:
        kind: A dataclass, each of whose fields is annotated with an `Opt`.
    """
    if kind not in _KNOWN:
        _KNOWN[kind] = _read(kind)
    return _KNOWN[kind]


def _read(kind: type) -> dict[str, Option]:
    hints = typing.get_type_hints(kind, include_extras=True)
    defaults = {each.name: _default(each) for each in fields(kind)}
    bases = [vars(base).get("__annotations__", {}) for base in kind.__mro__]
    inherited = {name for base in bases[1:] for name in base}
    names = [*(name for name in bases[0] if name not in inherited), *(name for base in bases[1:] for name in base)]
    return {name: _option(name, hints[name], defaults[name]) for name in dict.fromkeys(names) if name in defaults}


def _default(each: object) -> object:
    factory = getattr(each, "default_factory", MISSING)
    return getattr(each, "default", MISSING) if factory is MISSING else factory()


def _option(name: str, hint: object, default: object) -> Option:
    kind, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    opt = next((mark for mark in marks if isinstance(mark, Opt)), None)
    assert opt is not None, f"option {name} is not declared as Annotated[TYPE, Opt(help=...)]"
    return Option(name=name, kind=kind, default=default, opt=opt)

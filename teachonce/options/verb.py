"""From a stage, which takes its options as one object, to a function of the Python API, which takes them by name."""

from collections.abc import Callable, Iterator
from dataclasses import MISSING
from functools import wraps
from inspect import Parameter, Signature, cleandoc
from textwrap import fill
from typing import TypeVar

from teachonce.events import SILENT, Events
from teachonce.options.make import make
from teachonce.options.opt import Option, options_of
from teachonce.processwide import limited_threads

Options = TypeVar("Options")
Result = TypeVar("Result")
_EVENTS = "Receives progress, notes and warnings."


def verb(
    kind: type[Options], *, own_threads: bool = False
) -> Callable[[Callable[[Options, Events], Result]], Callable[..., Result]]:
    """Make a function of the Python API from a stage.

    The function is called as `train(data=..., student=...)` or as `train(TrainOptions(...))`; `events` may be given.
    Its signature and the `Args` of its docstring are those of the options. Where they have `threads`, that is how many
    CPU threads torch takes meanwhile.

    Args:
        kind: The class of its options.
        own_threads: The stage itself looks after them.
    """

    def made(stage: Callable[[Options, Events], Result]) -> Callable[..., Result]:
        @wraps(stage)
        def call(*given: object, events: Events = SILENT, **named: object) -> Result:
            options = _options(kind, given, named)
            with limited_threads(None if own_threads else getattr(options, "threads", None)):
                return stage(options, events)

        call.__signature__ = _signature(kind)  # type: ignore[attr-defined]
        call.__doc__ = _documented(stage.__doc__ or "", kind)
        return call

    return made


def _options(kind: type[Options], given: tuple[object, ...], named: dict[str, object]) -> Options:
    if len(given) == 1 and isinstance(given[0], kind):
        if named:
            raise TypeError(f"expected {kind.__name__} or options by name, got both")
        return make(kind, {name: getattr(given[0], name) for name in options_of(kind)})
    arguments = [name for name, option in options_of(kind).items() if option.opt.argument]
    if len(given) > len(arguments):
        raise TypeError(f"expected options by name, got {len(given)} positional arguments")
    twice = [name for name in arguments[: len(given)] if name in named]
    if twice:
        raise TypeError(f"option {twice[0]!r} is given twice")
    return make(kind, {**dict(zip(arguments, given, strict=False)), **named})


def _signature(kind: type) -> Signature:
    parameters = [_parameter(option) for option in options_of(kind).values()]
    parameters.sort(key=lambda each: each.kind)  # stable: positional arguments first
    parameters.append(Parameter("events", Parameter.KEYWORD_ONLY, default=SILENT, annotation=Events))
    return Signature(parameters)


def _parameter(option: Option) -> Parameter:
    place = Parameter.POSITIONAL_OR_KEYWORD if option.opt.argument else Parameter.KEYWORD_ONLY
    default = Parameter.empty if option.default is MISSING else option.default
    return Parameter(option.name, place, default=default, annotation=option.kind)


def _documented(doc: str, kind: type) -> str:
    """A docstring with the options as its `Args`, before what it says of errors."""
    before, raises, after = cleandoc(doc).partition("Raises:")
    lines = [*_args(kind), _arg("events", _EVENTS)]
    return "\n".join([before.rstrip(), "", "Args:", *lines, "", raises + after]).rstrip() + "\n"


def _args(kind: type) -> Iterator[str]:
    for option in options_of(kind).values():
        yield _arg(option.name, option.opt.python or option.opt.help)


def _arg(name: str, text: str) -> str:
    return fill(f"{name}: {text}", 112, initial_indent="    ", subsequent_indent="        ")

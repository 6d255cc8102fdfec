"""The command line: commands made of the options classes; each parses, calls one function, and renders its result.

Heavy libraries are imported when a command is called, and the options of a command are built when they are asked for,
so that `--help` answers at once.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from dataclasses import MISSING
from inspect import Parameter, Signature, getdoc
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO

import typer
from rich.console import RenderableType
from typer.core import TyperCommand, TyperGroup

from teachonce import __version__
from teachonce.console import RichEvents, describe_error, error_text
from teachonce.console.errors import AFRESH, described
from teachonce.console.tables import show
from teachonce.errors import CutShortError
from teachonce.heap import keep_freed
from teachonce.options.make import make, typed
from teachonce.options.opt import Option, options_of
from teachonce.options.verbs import VERBS, Verb, load
from teachonce.processes.command import heard, importing, interrupts
from teachonce.processwide import unwarned
from teachonce.records import plain
from teachonce.texts import is_whole

_CONTINUES = frozenset({"embed", "rdm", "train", "run", "tune"})
"""Commands that, given again, continue where they were interrupted."""


class Frame(TyperGroup):
    """The root command: the one place where errors become a line, an exit code and, with `--json`, an object."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{**given, "commands": _commands()})

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run a command line and exit: 0 done, 1 a failure, 2 usage, 128 + N ended by signal N (130: Ctrl-C)."""
        words = list(sys.argv[1:] if args is None else args)
        options["standalone_mode"] = False
        sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()  # None where the shell closed them
        with interrupts() as seen:
            try:
                code = super().main(words, *rest, **options)
            except BaseException as error:  # noqa: BLE001  (the last place that can turn it into one line)
                heard()
                code = _tell(error, words, seen)
            else:
                if code and (seen or code == 128 + signal.SIGINT):  # typer has made a number of it
                    code = interrupted(words, seen)
        sys.exit(code if isinstance(code, int) else 0)


def _tell(error: BaseException, words: Sequence[str], seen: Sequence[int]) -> int | None:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if seen or isinstance(error, KeyboardInterrupt):
        return interrupted(words, seen, error)
    return _usage(error, words) if hasattr(error, "format_message") else _failure(error, words)


def interrupted(words: Sequence[str], seen: Sequence[int], error: BaseException | None = None) -> int:
    """Tell of a signal that ended a command line.

    Args:
        words: The command line after `teachonce`.
        seen: The signals; none where a process that we started was interrupted.
        error: What came of it.

    Returns:
        The exit code that a shell gives to what a signal ended.
    """
    stop = error if isinstance(error, KeyboardInterrupt) else KeyboardInterrupt()
    kept = words[:2] == ["bench", "live"] and any(word.startswith("--out") for word in words)
    stop.args = () if kept or _CONTINUES.intersection(words[:1]) else (AFRESH,)
    _failure(stop, words)
    return 128 + (seen[0] if seen else signal.SIGINT)


def _usage(error: Any, words: Sequence[str]) -> int:
    """Tell of a wrong command line: typer's own text on stderr, and the object on stdout with `--json`."""
    error.show()
    if "--json" in words:
        message = error.format_message() or "expected a command, got none"
        _print_json({"error": described("usage", message, "see --help")})
    return int(error.exit_code)


def _failure(error: BaseException, words: Sequence[str]) -> int:
    with suppress(BrokenPipeError):
        if "--debug" in words:
            traceback.print_exception(error)
        if "--json" in words:
            try:
                _print_json({"error": describe_error(error)})
            except OSError as full:  # stdout itself is what cannot be written
                sys.stdout = _nowhere()  # the interpreter flushes it at its end
                if not isinstance(full, BrokenPipeError):
                    sys.stderr.write(error_text(error) + "\n")
        else:
            sys.stderr.write(error_text(error) + "\n")
    return 1


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _print_json(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


@contextmanager
def work(*, debug: bool = False) -> Iterator[RichEvents]:
    """Around the one call of a command: yields its events, and keeps stdout clean of what libraries print.

    Warnings of libraries are shown with `debug` only.
    """
    with redirect_stdout(sys.stderr), nullcontext() if debug else unwarned():
        try:
            yield RichEvents()
        except BrokenPipeError as error:  # not stdout's: nothing is printed there while the work goes on
            raise RuntimeError("a worker process ended unexpectedly") from error


def finish(
    result: Any,
    render: Callable[[Any], Sequence[RenderableType]],
    *,
    as_json: bool,
    cut_short: Exception | None = None,
) -> None:
    """Print a command's result (a dataclass or a mapping) on stdout: one JSON object, or tables.

    What ended the work before its time is told on stderr, is `error` of the object, and makes the exit code 1.
    """
    if as_json:
        _print_json(plain(result) | ({} if cut_short is None else {"error": describe_error(cut_short)}))
    else:
        show(*render(result))
    sys.stdout.flush()
    if cut_short is not None:
        sys.stderr.write(error_text(cut_short) + "\n")
        raise typer.Exit(1)


_MANY = 24  # options, and `--help` leaves out the rare ones
GROUPS = {"bench": "Benchmarks: ratios within one run.", "plot": "Draw figures of stores and runs."}


class Command(TyperCommand):
    """A command, whose parameters are built when they are asked for.

    Args:
        name: The last word of its name.
        verb: What it does.
        path: All words of its name.
    """

    def __init__(self, name: str, verb: Verb, path: str) -> None:
        self._verb = verb
        self._built: Any = None
        self.hidden_in_help = _rare(verb)
        rare = len(self.hidden_in_help)
        more = f"{rare} more options: teachonce {path} --help-all" if rare else ""
        epilog = "\n\n".join(filter(None, [f"Example: teachonce {path} {verb.example}", more]))
        super().__init__(name=name, help=getdoc(verb.kind), epilog=epilog, rich_markup_mode="rich")

    @property
    def _whole(self) -> Any:
        if self._built is None:
            app = typer.Typer(add_completion=False)
            app.command(self.name)(_function(self._verb))
            self._built = typer.main.get_command(app)
        return self._built

    @property
    def params(self) -> Any:
        """Its arguments and options."""
        return self._whole.params

    @params.setter
    def params(self, given: Any) -> None:
        """They are made from the options class."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write its help. Only there are options hidden: shells complete them all."""
        for parameter in self.params:
            setattr(parameter, "hidden", parameter.name in self.hidden_in_help)  # noqa: B010 - not of their base
        super().format_help(ctx, formatter)

    @property
    def callback(self) -> Any:
        """What it calls."""
        return self._whole.callback

    @callback.setter
    def callback(self, given: Any) -> None:
        """It is made from the verb."""


def _function(verb: Verb) -> Callable[..., None]:
    """The function of a command, with the signature that typer reads."""
    known = options_of(verb.kind)

    def call(*, as_json: bool, debug: bool, help_all: bool = False, **given: Any) -> None:
        options: Any = make(verb.kind, _typed(known, given))
        wrong = getattr(options, "usage", lambda: None)()
        if wrong is not None:
            raise typer.BadParameter(wrong[1], param_hint=wrong[0])
        cut_short = None
        with work(debug=debug) as events:
            try:
                with importing(own=True):
                    stage = load(verb.stage)
                result = stage(options, events=events)
            except CutShortError as error:
                result, cut_short = error.result, error
        if verb.error is not None:
            cut_short = load(f"console.{verb.error}")(result)
        finish(result, load(f"console.{verb.parts}"), as_json=as_json, cut_short=cut_short)

    parameters = [_parameter(option) for option in known.values()]
    if _rare(verb):
        parameters.append(
            _last("help_all", "--help-all", "Show all options and exit.", is_eager=True, callback=_show_all)
        )
    parameters += [
        _last("as_json", "--json", "Print one JSON object on stdout."),
        _last("debug", "--debug", "Show the traceback of an error."),
    ]
    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in parameters}
    return call


def _show_all(context: typer.Context, wanted: bool) -> None:
    if wanted and isinstance(context.command, Command):
        context.command.hidden_in_help = frozenset()
        typer.echo(context.get_help())
        raise typer.Exit


def _last(name: str, flag: str, text: str, **given: Any) -> Parameter:
    kind = Annotated[bool, typer.Option(flag, help=text, rich_help_panel="Output", **given)]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=kind)


def _rare(verb: Verb) -> frozenset[str]:
    """The options that `--help` leaves out: of commands that have many."""
    known = options_of(verb.kind)
    return frozenset(name for name, option in known.items() if option.opt.rare) if len(known) > _MANY else frozenset()


def _parameter(option: Option) -> Parameter:
    """An option as typer takes it."""
    opt, default = option.opt, option.default
    kind: Any = option.kind
    if option.item is not None and opt.repeated:
        kind, default = list[option.item], default or None if default is not MISSING else MISSING  # type: ignore[name-defined]
    elif option.is_mapping:
        kind, default = list[str], None
    elif option.item is not None or opt.none is not None or option.opened:
        kind = str if default is not None else str | None
        default = default if isinstance(default, str) or default is MISSING else _as_text(option)
    if default is None and kind not in (str | None, option.kind):
        kind = kind | None
    shown: dict[str, Any] = {"help": opt.help, "metavar": opt.metavar, "rich_help_panel": opt.panel}
    if opt.words is not None:
        shown["autocompletion"] = _completion(opt.words)
    if int in option.members or float in option.members:
        shown |= {"min": opt.min, "max": opt.max} if opt.none is None else {}
    if opt.argument:
        mark: Any = typer.Argument(**shown)
    else:
        flags = [] if option.default is True else [option.flag]
        mark = typer.Option(*flags, **shown)
    empty = Parameter.empty if default is MISSING else default
    return Parameter(option.name, Parameter.KEYWORD_ONLY, default=empty, annotation=Annotated[kind, mark])


def _completion(place: str) -> Callable[[str], list[str]]:
    """What a shell offers for the beginning of a word; typer looks at the parameter's name."""

    def completed(incomplete: str) -> list[str]:
        words: list[str] = load(place)(incomplete)
        return words

    return completed


def _as_text(option: Option) -> str | None:
    return str(option.default) if option.opt.none is not None and option.default is not None else None


def _typed(known: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, object]:
    """What the command line gave, in the types of the options; what was not given is left out."""
    values: dict[str, object] = {}
    for name, value in given.items():
        option = known[name]
        if option.is_mapping:
            values[name] = _settings(option, value or [], given)
        elif value is not None:
            values[name] = _value(option, value)
    return values


def _value(option: Option, value: Any) -> object:
    if not isinstance(value, str):
        return value
    if option.item is not None and not value.strip():
        raise typer.BadParameter("expected values with commas between them, got none", param_hint=option.flag)
    if option.opt.none is not None and is_whole(value):
        value = int(value)
    try:
        return typed(option, value)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option.flag) from None


def _settings(option: Option, texts: Sequence[str], given: Mapping[str, Any]) -> dict[str, str]:
    """`kd.temperature=4` as {"temperature": "4"}; the part before the dot must be the method, or one of a sum."""
    settings, method = {}, "kd" if given["method"] is None else given["method"]
    parts = method.split("+")
    for text in texts:
        key, equals, value = text.partition("=")
        prefix, dot, name = key.strip().rpartition(".")
        if not (equals and dot and name):
            raise typer.BadParameter(f"expected METHOD.NAME=VALUE, got {text!r}", param_hint=option.flag)
        if prefix not in parts:
            raise typer.BadParameter(f"{text!r} is for {prefix}, but --method is {method}", param_hint=option.flag)
        settings[name if len(parts) == 1 else key.strip()] = value.strip()
    return settings


def _commands() -> dict[str, Any]:
    groups: dict[str, Any] = {
        name: TyperGroup(name=name, help=text, no_args_is_help=True, rich_markup_mode="rich", commands={})
        for name, text in GROUPS.items()
    }
    commands: dict[str, Any] = {}
    for path, verb in VERBS.items():
        *group, name = path.split()
        command = Command(name, verb, path)
        if group:
            groups[group[0]].commands[name] = command
        else:
            commands[name] = command
    return commands | groups


app = typer.Typer(
    name="teachonce",
    cls=Frame,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"teachonce {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run the teacher once; train every student from its cache."""


def main() -> None:
    """The entry point of the `teachonce` command."""
    keep_freed()
    app(prog_name="teachonce")

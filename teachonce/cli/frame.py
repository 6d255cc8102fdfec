"""What all commands share: errors in one line, the exit code, JSON on stdout and everything else on stderr."""

import json
import math
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import RenderableType
from typer.core import TyperGroup

from teachonce.console import RichEvents, describe_error, error_text
from teachonce.console.tables import show
from teachonce.pipeline.threads import limited_threads


class Frame(TyperGroup):
    """The root command: the one place where errors become a line, an exit code and, with `--json`, an object."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run a command line and exit: 0 done, 1 a failure, 2 usage."""
        words = list(sys.argv[1:] if args is None else args)
        options["standalone_mode"] = False
        try:
            code = super().main(words, *rest, **options)
        except Exception as error:  # noqa: BLE001  (the last place that can turn it into one line)
            code = _usage(error, words) if hasattr(error, "format_message") else _failure(error, words)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command; Ctrl-C becomes an error like every other (typer would end with 130 and no word)."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _InterruptedError from error


class _InterruptedError(Exception):
    """Stands for a KeyboardInterrupt on its way through typer."""


def _usage(error: Any, words: Sequence[str]) -> int:
    """Tell of a wrong command line: typer's own text on stderr, and the object on stdout with `--json`."""
    error.show()
    if "--json" in words:
        message = error.format_message() or "a command is missing"
        _print_json({"error": {"kind": "usage", "message": message, "mend": "see --help"}})
    return int(error.exit_code)


def _failure(error: BaseException, words: Sequence[str]) -> int:
    cause = error.__cause__ if isinstance(error, _InterruptedError) else error
    assert cause is not None
    with suppress(BrokenPipeError):
        if "--debug" in words:
            traceback.print_exception(cause)
        if "--json" in words:
            _print_json({"error": describe_error(cause)})
        else:
            sys.stderr.write(error_text(cause) + "\n")
    return 1


def _print_json(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


@contextmanager
def work(*, debug: bool = False, threads: int | None = None) -> Iterator[RichEvents]:
    """Around the one call of a command: yields its events, and keeps stdout clean of what libraries print.

    SIGTERM (a batch system's farewell) ends the work as Ctrl-C does. Warnings of libraries are shown with `debug` only.
    `threads` is how many CPU threads the arithmetic may take.
    """
    with redirect_stdout(sys.stderr), warnings.catch_warnings(), _terminate_as_interrupt(), limited_threads(threads):
        if not debug:
            warnings.simplefilter("ignore")
        try:
            yield RichEvents()
        except BrokenPipeError as error:  # not stdout's: nothing is printed there while the work goes on
            raise RuntimeError("a helper process ended early") from error


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: signals are somebody else's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def finish(result: Any, render: Callable[[Mapping[str, Any]], Sequence[RenderableType]], *, as_json: bool) -> None:
    """Print a command's result (a dataclass or a mapping) on stdout: one JSON object, or tables."""
    value = plain(result)
    if as_json:
        _print_json(value)
    else:
        show(*render(value))
    sys.stdout.flush()


def plain(value: Any) -> Any:
    """A result as JSON has it: dataclasses are objects, paths are texts, NaN and infinity (which JSON lacks) null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value

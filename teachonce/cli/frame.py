"""What all commands share: errors in one line, the exit code, JSON on stdout and everything else on stderr."""

import json
import math
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NoReturn, TextIO

import typer
from rich.console import RenderableType
from typer.core import TyperGroup

from teachonce.console import RichEvents, describe_error, error_text
from teachonce.console.errors import AFRESH
from teachonce.console.tables import show
from teachonce.processwide import interrupts, limited_threads, unwarned

_CONTINUES = frozenset({"embed", "rdm", "train", "run", "tune"})
"""Commands that, given again, continue where they were interrupted."""


class Frame(TyperGroup):
    """The root command: the one place where errors become a line, an exit code and, with `--json`, an object."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> NoReturn:
        """Run a command line and exit: 0 done, 1 a failure, 2 usage, 128 + N ended by signal N (130: Ctrl-C)."""
        words = list(sys.argv[1:] if args is None else args)
        options["standalone_mode"] = False
        sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()  # None where the shell closed them
        with interrupts() as seen:
            try:
                code = super().main(words, *rest, **options)
            except BaseException as error:  # noqa: BLE001  (the last place that can turn it into one line)
                code = _tell(error, words, seen)
            else:
                if seen and code:  # typer has made a number of it
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
    stop.args = () if _CONTINUES.intersection(words[:1]) else (AFRESH,)
    _failure(stop, words)
    return 128 + (seen[0] if seen else signal.SIGINT)


def _usage(error: Any, words: Sequence[str]) -> int:
    """Tell of a wrong command line: typer's own text on stderr, and the object on stdout with `--json`."""
    error.show()
    if "--json" in words:
        message = error.format_message() or "expected a command, got none"
        _print_json({"error": {"kind": "usage", "message": message, "mend": "see --help"}})
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
def work(*, debug: bool = False, threads: int | None = None) -> Iterator[RichEvents]:
    """Around the one call of a command: yields its events, and keeps stdout clean of what libraries print.

    Warnings of libraries are shown with `debug` only.
    `threads` is how many CPU threads the arithmetic may take.
    """
    with redirect_stdout(sys.stderr), nullcontext() if debug else unwarned(), limited_threads(threads):
        try:
            yield RichEvents()
        except BrokenPipeError as error:  # not stdout's: nothing is printed there while the work goes on
            raise RuntimeError("a worker process ended unexpectedly") from error


def finish(
    result: Any,
    render: Callable[[Mapping[str, Any]], Sequence[RenderableType]],
    *,
    as_json: bool,
    cut_short: Exception | None = None,
) -> None:
    """Print a command's result (a dataclass or a mapping) on stdout: one JSON object, or tables.

    What ended the work before its time is told on stderr, is `error` of the object, and makes the exit code 1.
    """
    value = plain(result)
    if cut_short is not None:
        value |= {"error": describe_error(cut_short)}
    if as_json:
        _print_json(value)
    else:
        show(*render(value))
    sys.stdout.flush()
    if cut_short is not None:
        sys.stderr.write(error_text(cut_short) + "\n")
        raise typer.Exit(1)


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

"""One step in a process of its own: so that its memory figures mean something, and nothing of it stays behind."""

import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from teachonce.errors import InputError, TeachonceError
from teachonce.models.trust import factory_environment
from teachonce.processes import environment as child_environment
from teachonce.processes import program

PATIENCE = (30.0, 10.0)  # seconds a child has to end after SIGTERM, SIGKILL


def run_child(words: Sequence[str], step: str) -> dict[str, Any]:
    """Run `teachonce WORDS --json` and return its result; its progress goes to our stderr.

    The child is in a process group of its own, so that Ctrl-C reaches it once, through us, and ends it before us.

    Args:
        words: The command line after `teachonce`.
        step: The step's name, for errors.

    Raises:
        TeachonceError: What the child raised, with the step's name before the message.
        KeyboardInterrupt: The child was interrupted.
    """
    process = start_child(words, environment=factory_environment())
    try:
        output, _ = process.communicate()
    except BaseException:
        _end(process)
        raise
    return child_result(output, process.returncode, step)


def start_child(
    words: Sequence[str], *, stderr: IO[bytes] | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start `teachonce WORDS --json` in a process group of its own.

    Args:
        words: The command line after `teachonce`.
        stderr: Where its progress goes; None: to ours.
        environment: On top of ours.
    """
    return subprocess.Popen(
        program("teachonce", *words, "--json"),
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=child_environment(environment),
        process_group=0,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    # SIGTERM: a shell starts background work deaf to SIGINT, and a child inherits that.
    for number, seconds in zip((signal.SIGTERM, signal.SIGKILL), PATIENCE, strict=True):
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=seconds)
            return


def child_result(output: bytes, code: int, step: str, said: str = "") -> dict[str, Any]:
    """The result in what a child printed.

    Args:
        output: Its stdout.
        code: Its exit code; negative: the signal that ended it.
        step: The step's name, for errors.
        said: What it said last on stderr, where that is known; told of one without a result.

    Raises:
        TeachonceError: What the child raised, or that it ended without a word.
        KeyboardInterrupt: The child was interrupted.
    """
    try:
        value: dict[str, Any] = json.loads(output)
    except ValueError as error:
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        mend = "If the memory was full, use a smaller batch_size; then run the same command again: it resumes"
        raise TeachonceError(f"{step} ended {how} and returned no result{said and f': {said}'}", mend) from error
    if "error" in value:
        raise revived(value["error"], step)
    return value


def revived(told: Mapping[str, str], step: str) -> BaseException:
    """The child's error again, as the class that has its kind."""
    if told["kind"] == "interrupted":
        return KeyboardInterrupt()
    kinds = {"usage": InputError, "error": TeachonceError}
    kinds.update({kind.kind: kind for kind in _below(TeachonceError)})
    return kinds.get(told["kind"], TeachonceError)(f"{step}: {told['message']}", told["mend"])


def _below(kind: type[TeachonceError]) -> list[type[TeachonceError]]:
    return [c for child in kind.__subclasses__() for c in (child, *_below(child))]

"""One step in a process of its own: so that its memory figures mean something, and nothing of it stays behind."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from teachonce.errors import InputError, TeachonceError

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
    command = [sys.executable, "-m", "teachonce", *words, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, process_group=0)
    try:
        output, _ = process.communicate()
    except BaseException:
        _end(process)
        raise
    return _result(output, process.returncode, step)


def _end(process: subprocess.Popen[bytes]) -> None:
    # SIGTERM: a shell starts background work deaf to SIGINT, and a child inherits that.
    for number, seconds in zip((signal.SIGTERM, signal.SIGKILL), PATIENCE, strict=True):
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=seconds)
            return


def _result(output: bytes, code: int, step: str) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(output)
    except ValueError as error:
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        mend = "If the memory was full, use a smaller batch_size; then run the same command again: it goes on"
        raise TeachonceError(f"{step} ended {how} and gave no result", mend) from error
    if "error" in value:
        raise _revived(value["error"], step)
    return value


def _revived(told: Mapping[str, str], step: str) -> BaseException:
    """The child's error again, as the class that has its kind."""
    if told["kind"] == "interrupted":
        return KeyboardInterrupt()
    kinds = {"usage": InputError, "error": TeachonceError}
    kinds.update({kind.kind: kind for kind in _below(TeachonceError)})
    return kinds.get(told["kind"], TeachonceError)(f"{step}: {told['message']}", told["mend"])


def _below(kind: type[TeachonceError]) -> list[type[TeachonceError]]:
    return [c for child in kind.__subclasses__() for c in (child, *_below(child))]

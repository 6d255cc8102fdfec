"""A step's own process: its memory figures are its own, and nothing of it stays behind."""

from collections.abc import Mapping
from typing import Any

from teachonce.errors import InputError, TeachonceError
from teachonce.events import Events
from teachonce.options.make import make
from teachonce.options.verbs import VERBS, load
from teachonce.processes.command import importing
from teachonce.processes.process import PATIENCE as PATIENCE
from teachonce.types import plain

PLACE = "teachonce.pipeline.child:do_step"
"""What a process is started with to do a step."""
MEND = "If the memory was full, use a smaller batch_size; then run the same command again: it resumes"


def do_step(events: Events, verb: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Do what a command does.

    Args:
        events: Who watches.
        verb: The command.
        options: By their names, as JSON.

    Returns:
        What the command prints with `--json`.

    Raises:
        TeachonceError: See the stage.
    """
    with importing(own=True):
        stage = load(VERBS[verb].stage)
    result: dict[str, Any] = plain(stage(make(VERBS[verb].kind, options), events=events))
    return result


def revived(told: Mapping[str, str], step: str) -> BaseException:
    """The child's error again, as the class that has its kind."""
    if told["kind"] == "interrupted":
        return KeyboardInterrupt()
    kinds = {kind.kind: kind for kind in _below(TeachonceError)} | {"usage": InputError, "error": TeachonceError}
    return kinds.get(told["kind"], TeachonceError)(f"{step}: {told['message']}", told["mend"])


def _below(kind: type[TeachonceError]) -> list[type[TeachonceError]]:
    return [c for child in kind.__subclasses__() for c in (child, *_below(child))]

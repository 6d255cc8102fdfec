"""A step's own process: its memory figures are its own, and nothing of it stays behind."""

from collections.abc import Mapping
from typing import Any

from teachonce.events import Events
from teachonce.options.make import make
from teachonce.options.verbs import VERBS, load
from teachonce.options.words import command_words
from teachonce.processes.command import importing, stands_for
from teachonce.records import plain

PLACE = "teachonce.pipeline.child:do_command"
"""What a process is started with to do a step."""
MEND = "If the memory was full, use a smaller batch_size; then run the same command again: it resumes"


def do_command(events: Events, verb: str, options: Mapping[str, Any]) -> dict[str, object]:
    """Do a step as a process that is its command; see `do_step`."""
    stands_for([verb, *command_words(VERBS[verb].kind, options)])
    return do_step(events, verb, options)


def do_step(events: Events, verb: str, options: Mapping[str, Any]) -> dict[str, object]:
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
    return plain(stage(make(VERBS[verb].kind, options), events=events))

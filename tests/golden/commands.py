"""Command lines in this process: their help, their exit codes and kinds of errors."""

import json
import os
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import click
from typer.main import get_command
from typer.testing import CliRunner, Result

from teachonce.cli import app

PLAIN = {"COLUMNS": "100", "LINES": "50", "TERM": "dumb", "NO_COLOR": "1"}
"""A terminal that is the same everywhere."""


def call(*words: object) -> Result:
    """`teachonce WORDS` in this process."""
    with patch.dict(os.environ, PLAIN):
        return CliRunner().invoke(app, [str(word) for word in words], prog_name="teachonce")


def called(*words: object) -> Any:
    """The JSON that a command prints; it must end well."""
    result = call(*words, "--json")
    assert result.exit_code == 0, (words, result.output, result.stderr)
    return json.loads(result.stdout)


def names(command: Any = None, *above: str) -> Iterator[tuple[str, ...]]:
    """Every command and group of commands, as the words that name it."""
    command = command or get_command(app)
    yield above
    for name, child in getattr(command, "commands", {}).items():
        yield from names(child, *above, name)


def help_texts() -> dict[str, str]:
    """What `--help` prints, by command."""
    lines = [(*words, flag) for words in names() for flag in ("--help", "--help-all")]
    shown = {" ".join(("teachonce", *line)).removesuffix(" --help"): call(*line) for line in lines}
    return {name: click.unstyle(result.stdout) for name, result in shown.items() if not result.exit_code}

"""A command line in this process: fast, and with stdout and stderr apart."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from teachonce.cli import app


@dataclass(frozen=True)
class Outcome:
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def error(self) -> dict[str, str]:
        """The error object; the exit code must be 1, or that of a signal."""
        told: dict[str, str] = self.json["error"]
        assert self.code == 1 or (told["kind"] == "interrupted" and self.code > 128), (self.code, self.out, self.err)
        assert set(told) == {"kind", "message", "mend", "hint"}
        assert "unexpected" not in told["message"], told
        return told


Call = Callable[..., Outcome]


@pytest.fixture
def call() -> Call:
    """Run `teachonce WORDS` in this process."""

    def run(*words: object) -> Outcome:
        result = CliRunner().invoke(app, [str(word) for word in words], prog_name="teachonce")
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run

"""Where a benchmark's numbers come from, as its JSON says: the machine, the versions, the command line."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from teachonce.engine import runfile
from teachonce.engine.machine import this_machine
from teachonce.engine.stage_one import contents


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What the result of every benchmark says of it."""

    machine: Mapping[str, Any]
    """See `Machine`."""
    versions: Mapping[str, str]
    """Of Python, and package -> version."""
    command: str
    """See `command_line`."""


def origin(device: torch.device) -> dict[str, Any]:
    """The fields of an Origin, of this process and where it computes."""
    return {
        "machine": this_machine(device).to_json(),
        "versions": contents.versions() | runfile.versions(),
        "command": command_line(),
    }


def command_line() -> str:
    """The command line that is running; from Python the program's."""
    program, *words = sys.argv
    if Path(program).name in ("teachonce", "__main__.py"):
        return shlex.join(["teachonce", *words])
    return shlex.join([Path(program).name, *words])

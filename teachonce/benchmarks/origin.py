"""Where measured numbers come from, as their JSON says: the machine, the versions, the command line."""

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
from teachonce.records import to_json


@dataclass(frozen=True, kw_only=True)
class Origin:
    """With what every result that was measured begins; `texts.ORIGIN` has the names."""

    kind: str
    """`teachonce.bench-live`, say."""
    format: int = 1
    machine: Mapping[str, Any]
    """See `Machine`."""
    versions: Mapping[str, str]
    """Of Python, and package -> version."""
    command: str
    """See `command_line`."""


def origin(device: torch.device) -> dict[str, Any]:
    """Machine, versions and command of an Origin: of this process, and of where it computes."""
    return {
        "machine": to_json(this_machine(device)),
        "versions": contents.versions() | runfile.versions(),
        "command": command_line(),
    }


def command_line() -> str:
    """The command line that is running; from Python the program's."""
    program, *words = sys.argv
    if Path(program).name == "teachonce" or Path(program).parts[-2:] == ("teachonce", "__main__.py"):
        return shlex.join(["teachonce", *words])
    return shlex.join(["python", *([Path(program).name] if program else []), *words])

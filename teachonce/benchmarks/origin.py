"""Where measured numbers come from, as their JSON says: the machine, the versions, the command line."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch

from teachonce.engine import runfile
from teachonce.engine.machine import this_machine
from teachonce.engine.records import Machine
from teachonce.engine.stage_one import contents
from teachonce.records import SPARSE


@dataclass(frozen=True, kw_only=True)
class Head:
    """With what every result begins."""

    kind: str
    """`teachonce.bench-live`, say."""
    format: int = 1


@dataclass(frozen=True, kw_only=True)
class Origin(Head):
    """What every result that was measured says of itself."""

    machine: Annotated[Machine | None, SPARSE] = None
    versions: Annotated[Mapping[str, str] | None, SPARSE] = None
    """Of Python, and package -> version."""
    command: Annotated[str | tuple[str, ...] | None, SPARSE] = None
    """See `command_line`; earlier versions wrote its words."""


def origin(kind: str, device: torch.device) -> Origin:
    """Of this process, and of where it computes."""
    known = contents.versions() | runfile.versions()
    return Origin(kind=kind, machine=this_machine(device), versions=known, command=command_line())


def device_name(device: torch.device) -> str:
    """The name of a GPU; `cpu`."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def command_line() -> str:
    """The command line that is running; from Python the program's."""
    program, *words = sys.argv
    if Path(program).name == "teachonce" or Path(program).parts[-2:] == ("teachonce", "__main__.py"):
        return shlex.join(["teachonce", *words])
    return shlex.join(["python", *([Path(program).name] if program else []), *words])

"""Where measured numbers come from, as their JSON says: the machine, the versions, the command line."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from teachonce.engine import runfile
from teachonce.engine.machine import this_machine
from teachonce.engine.records import Source
from teachonce.engine.stage_one import contents


@dataclass(frozen=True, kw_only=True)
class Head:
    """With what every result begins."""

    kind: str
    """`teachonce.bench-live`, say."""
    format: int = 1


@dataclass(frozen=True, kw_only=True)
class Origin(Source, Head):  # the fields of the last base come first
    """What every result that was measured says of itself; for its command see `command_line`."""


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

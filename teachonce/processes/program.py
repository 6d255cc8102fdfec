"""How a program of our own is started."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

_ROOT = str(Path(__file__).resolve().parents[2])  # where the package lies, installed or not


def start_program(
    name: str, descriptor: int, *words: str, log: IO[bytes] | int | None, environment: Mapping[str, str]
) -> "subprocess.Popen[bytes]":
    """Start a module of this package in a process group of its own; it finds the modules that we find, and no others.

    Args:
        name: Of the module; its command line is the descriptor, our process number and the words.
        descriptor: One of ours that it inherits.
        words: See `name`.
        log: Its stderr; None: ours.
        environment: Variables on top of ours.
    """
    # -P: else a zarr.py in the working folder would be run in the place of the library.
    command = [sys.executable, "-P", "-W", "ignore", "-m", f"teachonce.processes.{name}"]
    return subprocess.Popen(
        [*command, str(descriptor), str(os.getpid()), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log,
        pass_fds=(descriptor,),
        env={**os.environ, "PYTHONPATH": _our_path(), **environment},
        process_group=0,
    )


def take_standard() -> None:
    """Open the standard descriptors that are closed, or a pipe would be opened in their place."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def _our_path() -> str:
    return os.pathsep.join(dict.fromkeys([*(place or str(Path.cwd()) for place in sys.path), _ROOT]))

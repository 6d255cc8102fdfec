"""Programs of our own in processes of their own: what they import is what we would, wherever they are started."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parents[1])  # where the package lies, installed or not


def program(module: str, *words: str) -> list[str]:
    """The command of a module of ours.

    Args:
        module: Such as `teachonce.data.worker`.
        words: Its arguments.
    """
    # -P: else a zarr.py in the working folder would be run in the place of the library.
    return [sys.executable, "-P", "-m", module, *words]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of such a program: it finds what we find, in the same places, and nothing else.

    Args:
        more: Variables on top of ours.
    """
    places = dict.fromkeys([*(place or str(Path.cwd()) for place in sys.path), _ROOT])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places), **(more or {})}

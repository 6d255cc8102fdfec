"""Programs of our own in processes of their own, and what each of them does once."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def program(module: str) -> list[str]:
    """The command of a module of ours."""
    return [sys.executable, "-P", "-m", module]


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """The environment of such a program: it finds what we find, and `more` on top."""
    root = str(Path(__file__).resolve().parents[2])
    places = dict.fromkeys([*(place or str(Path.cwd()) for place in sys.path), root])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places), **more}

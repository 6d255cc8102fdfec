"""What the heap's tests look at, in whichever process imports this."""

import os
from pathlib import Path

import psutil

from teachonce.events import Events
from tests.cli.made import Tiny

BLOCK = 64 << 20
"""Bytes: beyond what glibc ever keeps by itself."""


def resident() -> int:
    return psutil.Process().memory_info().rss


def returned_bytes(size: int = BLOCK) -> int:
    """By how much the process shrinks where a block is freed."""
    block = b"x" * size
    before = resident()
    del block
    return before - resident()


def noting(classes: int, image_size: int | None) -> Tiny:
    """A student that notes what its process does with freed memory."""
    Path(os.environ["NOTED"]).write_text(str(returned_bytes()))
    return Tiny(classes)


def returned(events: Events) -> int:
    """Work for a process of its own."""
    return returned_bytes()

"""What may lie where a file should: nothing that could be read, far too much, or something else."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Change = Callable[[Path], None]


def pipe(path: Path) -> None:
    """Reading it would wait without end."""
    path.unlink()
    os.mkfifo(path)


def zeros(path: Path) -> None:
    """Reading it would fill the memory."""
    path.unlink()
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def huge(path: Path) -> None:
    """A sparse file: nothing on the disk, 64 GiB when it is read."""
    with path.open("r+b") as file:
        file.truncate(1 << 36)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def deep(path: Path) -> None:
    path.write_text("[" * 100_000 + "\n")


def nan(path: Path) -> None:
    path.write_text(path.read_text().rstrip()[:-1] + ', "more": NaN}\n')


def infinite(path: Path) -> None:
    path.write_text(path.read_text().rstrip()[:-1] + ', "more": 1e999}\n')


def half_a_pair(path: Path) -> None:
    path.write_text(path.read_text().rstrip()[:-1] + ', "more": "\\ud800"}\n')


def other(path: Path) -> None:
    path.write_text('[{"epoch": "one"}]\n')


def header(path: Path) -> None:
    """A safetensors file whose header tells of more than there is."""
    told = json.dumps({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    path.write_bytes(len(told).to_bytes(8, "little") + told)


def header_size(path: Path) -> None:
    path.write_bytes(b"\xff" * 7 + b"\x7f" + b"{}")


NO_FILE: tuple[Change, ...] = (pipe, zeros, folder, huge)
JSON: tuple[Change, ...] = (*NO_FILE, cut, empty, deep, nan, infinite, half_a_pair, other)
LINES: tuple[Change, ...] = (*NO_FILE, deep, nan, infinite, half_a_pair, other)
"""A file that was cut, or is empty, is what a kill leaves."""
TENSORS: tuple[Change, ...] = (*NO_FILE, cut, empty, header, header_size)


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """The paths to all values in one of JSON."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (key,)
        yield from ((key, *rest) for rest in places(inner))


REMOVED = object()
OTHER = st.one_of(
    st.sampled_from([REMOVED, None, True, [], {}, "", [None], {"a": None}, "x" * 3000, 0, -1, 1 << 70, 0.5, -1e308]),
    st.integers(),
    st.text(max_size=8),
)


def changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """A copy in which one value is another, or is missing."""
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in place[:-1]:
        inner = inner[key]
    if new is REMOVED:
        del inner[place[-1]]
    else:
        inner[place[-1]] = new
    return copy

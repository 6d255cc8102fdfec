"""A layer between the program and the disk: every change of a file below a folder passes a function of the test."""

import builtins
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRITES = ("open", "write", "fsync", "rename", "mkdir")
"""The operations that need space on the disk."""
REMOVALS = ("unlink", "rmdir")


@dataclass(frozen=True)
class Operation:
    """One change of a file, or its becoming durable."""

    kind: str
    """One of `WRITES` or `REMOVALS`, or `folder`: one is opened, to be synced or emptied."""
    path: str
    """Absolute; of a rename the old name."""
    target: str = ""
    """Of a rename the new name."""
    data: bytes = b""
    """Of a write."""
    position: int = 0
    """Of a write, in bytes."""
    truncates: bool = False
    """Of an open: what the file holds is dropped."""


Perform = Callable[[], Any]
Watch = Callable[[Operation, Perform], Any]
"""Is called in the place of an operation; gives what it gives, does it or not, and may raise."""


class _Raw(io.FileIO):
    """A file whose writes are watched."""

    layer: "_Layer"

    def write(self, data: Any, /) -> int:
        return int(self.layer.write(self.fileno(), data, super().write))


class _Layer:
    def __init__(self, root: Path, watch: Watch) -> None:
        self._root, self._watch = f"{root.resolve()}{os.sep}", watch
        self._lock = threading.RLock()
        self._real = {name: getattr(os, name) for name in _OS}
        self._open = io.open

    def ours(self, path: str) -> bool:
        return f"{path}{os.sep}".startswith(self._root)

    def seen(self, operation: Operation, perform: Perform) -> Any:
        with self._lock:  # the order of the operations is that in which they happen
            return self._watch(operation, perform) if self.ours(operation.path) else perform()

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        def perform() -> int:
            return int(self._real["open"](path, flags, mode, dir_fd=dir_fd))

        place = _absolute(path, dir_fd)
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        folder = dir_fd is None and not writes and os.path.isdir(place)  # noqa: PTH112 - as fsync of a folder begins
        nameless = flags & os.O_TMPFILE == os.O_TMPFILE
        if not (writes or folder) or nameless:
            return perform()
        kind = "folder" if folder else "open"
        return int(self.seen(Operation(kind, place, truncates=bool(flags & os.O_TRUNC)), perform))

    def opened(self, file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **options: Any) -> Any:
        """`open`, whose files are watched where they are written."""
        plain = isinstance(file, int) or not set(mode) & set("wax+") or "opener" in options  # which a nameless file has
        if plain or not self.ours(place := _absolute(file, None)):
            return self._open(file, mode, buffering, *rest, **options)
        operation = Operation("open", place, truncates="w" in mode)
        raw = self.seen(operation, lambda: _Raw(file, mode.replace("b", "").replace("t", "")))
        raw.layer = self
        if buffering == 0:
            return raw
        buffer: Any = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffer if "b" in mode else io.TextIOWrapper(buffer, *rest, **options)

    def write(self, descriptor: int, data: Any, real: Callable[[Any], int] | None = None) -> int:
        def perform(part: Any = data) -> int:
            return int((real or (lambda held: self._real["write"](descriptor, held)))(part))

        place = _of(descriptor)
        if not self.ours(place):
            return perform()
        position = os.lseek(descriptor, 0, os.SEEK_CUR)
        return int(self.seen(Operation("write", place, data=bytes(data), position=position), perform))

    def fsync(self, descriptor: int) -> None:
        self.seen(Operation("fsync", _of(descriptor)), lambda: self._real["fsync"](descriptor))

    def named(self, kind: str, name: str) -> Callable[..., Any]:
        """mkdir, unlink, rmdir and the like."""

        def call(path: Any, *rest: Any, dir_fd: int | None = None, **options: Any) -> Any:
            perform = lambda: self._real[name](path, *rest, dir_fd=dir_fd, **options)  # noqa: E731
            return self.seen(Operation(kind, _absolute(path, dir_fd)), perform)

        return call

    def renamed(self, name: str) -> Callable[..., Any]:
        def call(source: Any, target: Any, **options: Any) -> Any:
            perform = lambda: self._real[name](source, target, **options)  # noqa: E731
            return self.seen(Operation("rename", _absolute(source, None), _absolute(target, None)), perform)

        return call


_OS = ("open", "write", "fsync", "replace", "rename", "mkdir", "unlink", "remove", "rmdir")


@contextmanager
def watched(root: Path, watch: Watch) -> Iterator[None]:
    """Let every change below `root` pass `watch`.

    Args:
        root: A folder, which need not exist.
        watch: Called under a lock, in the place of the operation.
    """
    layer = _Layer(root, watch)
    changed: dict[str, Any] = {"open": layer.open, "write": layer.write, "fsync": layer.fsync}
    changed |= {name: layer.renamed(name) for name in ("replace", "rename")}
    changed |= {"mkdir": layer.named("mkdir", "mkdir"), "rmdir": layer.named("rmdir", "rmdir")}
    changed |= {name: layer.named("unlink", name) for name in ("unlink", "remove")}
    real, opened = {name: getattr(os, name) for name in _OS}, io.open
    try:
        for name, function in changed.items():
            setattr(os, name, function)
        io.open = builtins.open = layer.opened  # type: ignore[assignment]
        yield
    finally:
        for name, function in real.items():
            setattr(os, name, function)
        io.open = builtins.open = opened


def _absolute(path: Any, dir_fd: int | None) -> str:
    place = os.fsdecode(path)
    return os.path.normpath(os.path.join(_of(dir_fd) if dir_fd is not None else os.getcwd(), place))  # noqa: PTH109, PTH118


def _of(descriptor: int) -> str:
    """Where an open file lies; something that is no path where it lies nowhere."""
    return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115


def half(operation: Operation, perform: Any) -> None:
    """Do a write by half, or nothing of any other operation."""
    if operation.kind == "write" and len(operation.data) > 1:
        perform(operation.data[: len(operation.data) // 2])

"""Every file below a folder, by its path in it, in an order that depends on nothing but the names."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from teachonce.errors import DataError

_SYSTEM = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "__macosx", "__pycache__"})
"""What file managers and programs leave; nobody misses it."""
_SHOWN = 3


@dataclass(kw_only=True)
class Walk:
    """What lies below a folder; paths are relative to it, with `os.sep`, sorted as text."""

    root: str
    """Absolute."""
    files: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    """Files whose names, or those of a folder they lie in, begin with a dot."""
    broken: list[str] = field(default_factory=list)
    """Links to nothing or to a folder above them, pipes, sockets, devices."""


def walk(root: str | os.PathLike[str]) -> Walk:
    """List a folder and all below it. Links are followed; no file is looked at beyond its name and kind.

    Raises:
        DataError: A folder cannot be listed.
    """
    found = Walk(root=os.path.abspath(root))  # noqa: PTH100 - a Path would resolve nothing more, and cost a while
    folders = [("", found.files)]
    while folders:
        folder, files = folders.pop()
        for entry in _entries(os.path.join(found.root, folder)):  # noqa: PTH118
            if entry.name.lower() in _SYSTEM or entry.name.startswith("._"):
                continue
            path = f"{folder}{os.sep}{entry.name}" if folder else entry.name
            kept = found.hidden if entry.name.startswith(".") else files
            if entry.is_dir() and not _is_loop(entry):
                folders.append((path, kept))
            else:
                (kept if entry.is_file() else found.broken).append(path)
    for paths in (found.files, found.hidden, found.broken):
        paths.sort()
    return found


def parts_of(path: str) -> tuple[str, ...]:
    """The names of the folders and of the file that a path is made of."""
    return tuple(path.split(os.sep))  # noqa: PTH206 - of a million paths


def shown(name: str) -> str:
    """A file's name as text that can be printed and kept in UTF-8; bytes that are none are written as an escape."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def listed(names: Sequence[str], most: int = _SHOWN) -> str:
    """The first few names, in one line."""
    texts = [repr(shown(name))[1:-1] for name in names[:most]]
    return ", ".join([*texts, "..."] if len(names) > most else texts)


def _entries(folder: str) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        message = f"could not list the folder {shown(folder)!r}: {error.strerror}"
        raise DataError(message, "Allow it to be read, or choose another folder") from error


def _is_loop(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a link to a folder that it lies in."""
    if not entry.is_symlink():
        return False
    target = os.path.realpath(entry.path)
    here = os.path.realpath(os.path.dirname(entry.path))  # noqa: PTH120
    return os.path.commonpath([target, here]) == target

"""The golden files: what the code gives now, what is kept, and how they differ."""

import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.golden.commands import help_texts
from tests.golden.errors import errors
from tests.golden.identities import fingerprints, identities
from tests.golden.keys import keys
from tests.optionkit import Home
from tests.stages.rdmkit import memory_folder

FOLDER = Path(__file__).parent / "files"


def _help() -> dict[str, str]:
    return {f"help/{name.replace(' ', '-')}.txt": text for name, text in help_texts().items()}


def _errors() -> dict[str, str]:
    return {"errors.json": errors()}


def _keys() -> dict[str, str]:
    return {"keys.txt": keys()}


def _identities() -> dict[str, str]:
    Home.make(Path.cwd())
    return {"fingerprints.json": fingerprints(), "identities.json": identities()}


PARTS: Mapping[str, Callable[[], dict[str, str]]] = {
    "help": _help,
    "errors": _errors,
    "keys": _keys,
    "identities": _identities,
}
"""A part of the files to what makes it, in an empty current folder: file to text."""


def make(part: str) -> dict[str, str]:
    """The files of a part, as the code gives them now."""
    with memory_folder() as folder, _current(folder):
        return PARTS[part]()


@contextmanager
def _current(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def differences(part: str, made: Mapping[str, str]) -> str:
    """Kept files that differ from those made now, as a unified diff; empty where none does."""
    kept = {name: (FOLDER / name).read_text() for name in _kept(part, made)}
    pairs = [(name, kept.get(name, ""), made.get(name, "")) for name in sorted(kept.keys() | made.keys())]
    return "".join(
        line
        for name, old, new in pairs
        for line in difflib.unified_diff(old.splitlines(True), new.splitlines(True), f"kept {name}", f"now {name}")
    )


def write(part: str, made: Mapping[str, str]) -> None:
    """Keep these files of a part, and no others of it."""
    for name in _kept(part, made):
        (FOLDER / name).unlink()
    for name, text in made.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text)


def _kept(part: str, made: Mapping[str, str]) -> list[str]:
    """The files of a part that are kept now: of a folder all, as a command may have gone."""
    whole = (FOLDER / part).glob("*") if (FOLDER / part).is_dir() else ()
    names = {path.relative_to(FOLDER).as_posix() for path in whole} | {n for n in made if (FOLDER / n).is_file()}
    return sorted(names)

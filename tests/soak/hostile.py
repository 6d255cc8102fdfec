"""Stores and run folders as a stranger would send them: refused in one line, and nothing hangs or runs their code.

An attack is a function in `ATTACKS`: it takes a generator of random numbers, the folder of sound things and an empty
folder, and gives the trial. More of them may be added by whoever knows another.
"""

import os
import random
import shutil
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.forks import forked
from tests.soak.trial import Fault, Job, Trial, refusal
from tests.soak.whole import SOUND, learnt, prepare, problems, weights

Attack = Callable[[random.Random, Path, Path], Trial]


def _fifo(file: Path) -> None:
    os.mkfifo(file)


def _device(file: Path) -> None:
    file.symlink_to("/dev/zero")


def _folder(file: Path) -> None:
    file.mkdir()


def _itself(file: Path) -> None:
    file.symlink_to(file.name)


def _sparse(file: Path) -> None:
    file.touch()
    os.truncate(file, 1 << 40)


def _deep(file: Path) -> None:
    file.write_text("[" * 200_000)


def _socket(file: Path) -> None:
    home = Path.cwd()
    os.chdir(file.parent)  # the name of a socket has to be short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(file.name)
    finally:
        os.chdir(home)


SPECIAL = {"fifo": _fifo, "device": _device, "folder": _folder, "link to itself": _itself, "sparse": _sparse,
           "deep JSON": _deep, "socket": _socket}  # fmt: skip


def special_file(drawn: random.Random, sound: Path, place: Path) -> Trial:
    """Something else in the place of a file of a store."""
    store = Path(shutil.copytree(sound / SOUND, place / "s.zarr"))
    files = [path for path in sorted(store.rglob("*")) if path.is_file() and path.name != "lock"]
    file, (name, make) = drawn.choice(files), drawn.choice(sorted(SPECIAL.items()))
    what = f"{name} as {file.relative_to(store)}"
    file.unlink()
    make(file)
    found = forked(partial(problems, store))
    if harm := refusal(found) or ("" if found.value else "verify finds nothing"):
        return Trial(what, "verify", harm)
    if harm := learnt(sound, store, place):
        return Trial(what, "trained", harm)
    return Trial(what, f"{name}: refused in one line")


ATTACKS: list[Attack] = [special_file]


def trials(seed: int, count: int, sound: Path) -> list[Job]:
    """All attacks in turn."""
    drawn = random.Random(f"hostile {seed}")
    prepare(sound)
    weights(sound)
    chosen = [(ATTACKS[number % len(ATTACKS)], drawn.randrange(1 << 30)) for number in range(count)]
    return [partial(_try, attack, number, sound) for attack, number in chosen]


def _try(attack: Attack, seed: int, sound: Path, place: Path) -> Trial:
    return attack(random.Random(seed), sound, place)


FAULT = Fault(trials, full=200, part=6)

"""Stores and run folders as a stranger would send them: refused in one line, and nothing hangs or runs their code.

An attack is a function in `ATTACKS`: it takes a generator of random numbers, the folder of sound things and an empty
folder, and gives the trial.
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
Change = Callable[[Path], None]
"""Makes something else of a file."""


def fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def device(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def link_to_itself(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


def sparse(file: Path) -> None:
    os.truncate(file, 1 << 40)


def deep_json(file: Path) -> None:
    file.write_text("[" * 200_000)


def unix_socket(file: Path) -> None:
    file.unlink()
    home = Path.cwd()
    os.chdir(file.parent)  # the name of a socket has to be short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(file.name)
    finally:
        os.chdir(home)


CHANGES: list[Change] = [fifo, device, folder, link_to_itself, sparse, deep_json, unix_socket]


def store_file(drawn: random.Random, sound: Path, place: Path) -> Trial:
    """A file of a store is changed."""
    store = Path(shutil.copytree(sound / SOUND, place / "s.zarr"))
    files = [path for path in sorted(store.rglob("*")) if path.is_file() and path.name != "lock"]
    file, change = drawn.choice(files), drawn.choice(CHANGES)
    what = f"{change.__name__} as {file.relative_to(store)}"
    change(file)
    found = forked(partial(problems, store))
    if harm := refusal(found) or ("" if found.value else "verify finds nothing"):
        return Trial(what, "verify", harm)
    if harm := learnt(sound, store, place):
        return Trial(what, "trained", harm)
    return Trial(what, "refused in one line")


ATTACKS: list[Attack] = [store_file]


def trials(seed: int, count: int, sound: Path) -> list[Job]:
    """All attacks in turn."""
    drawn = random.Random(f"hostile {seed}")
    prepare(sound)
    weights(sound)
    chosen = [(ATTACKS[number % len(ATTACKS)], drawn.randrange(1 << 30)) for number in range(count)]
    return [partial(_try, attack, number, sound) for attack, number in chosen]


def _try(attack: Attack, seed: int, sound: Path, place: Path) -> Trial:
    return attack(random.Random(seed), sound, place)


FAULT = Fault(trials, full=200, part=4)

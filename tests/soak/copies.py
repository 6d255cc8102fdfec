"""A store that was copied by half: files that are missing, cut, or full of zeros where nothing came."""

import random
import shutil
from functools import partial
from pathlib import Path

from tests.soak.trial import Fault, Job, Trial
from tests.soak.whole import SOUND, prepare, tried, weights

KINDS = ("stopped", "stopped-anywhere", "holes", "zeros")


def trials(seed: int, count: int, sound: Path) -> list[Job]:
    """A copy that stops, in the order of the names or in any; or one with some files bad."""
    drawn = random.Random(f"copies {seed}")
    prepare(sound)
    weights(sound)
    return [partial(_try, sound, KINDS[number % len(KINDS)], drawn.randrange(1 << 30)) for number in range(count)]


def _try(sound: Path, kind: str, seed: int, place: Path) -> Trial:
    drawn = random.Random(seed)
    source, target = sound / SOUND, place / "s.zarr"
    files = [path.relative_to(source) for path in sorted(source.rglob("*")) if path.is_file()]
    if kind in ("stopped", "stopped-anywhere"):
        if kind == "stopped-anywhere":
            drawn.shuffle(files)
        files = files[: drawn.randint(1, len(files) - 1)]
        bad = {files[-1]}
    else:
        bad = set(drawn.sample(files, drawn.choice([1, 2, 5])))
    for name in files:
        _copy(source / name, target / name, _how(kind, drawn) if name in bad else "whole", drawn)
    return tried(f"{kind} {seed}", sound, place)


def _how(kind: str, drawn: random.Random) -> str:
    return "zeros" if kind == "zeros" else drawn.choice(["cut", "gone"] if kind == "holes" else ["cut", "whole"])


def _copy(source: Path, target: Path, how: str, drawn: random.Random) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if how == "gone":
        return
    data = source.read_bytes()
    if how == "whole" or not data:
        shutil.copyfile(source, target)
        return
    kept = drawn.randrange(len(data))
    target.write_bytes(data[:kept].ljust(len(data) if how == "zeros" else 0, b"\0"))


FAULT = Fault(trials, full=200, part=4)

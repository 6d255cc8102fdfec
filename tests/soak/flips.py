"""One flipped bit anywhere in a store: `verify` finds it, no training learns from it, `--repair` mends it."""

import random
import shutil
from functools import partial
from pathlib import Path

from tests.soak.trial import Fault, Job, Trial
from tests.soak.whole import RDM, SOUND, prepare, tried, weights


def trials(seed: int, count: int, sound: Path) -> list[Job]:
    """All files in turn, in an order of the seed; the bit is drawn."""
    drawn = random.Random(f"flips {seed}")
    store = prepare(sound)
    weights(sound)
    files = [path for path in sorted(store.rglob("*")) if path.is_file() and path.stat().st_size]
    drawn.shuffle(files)
    chosen = [files[number % len(files)] for number in range(count)]
    return [
        partial(_try, sound, file.relative_to(store).as_posix(), drawn.randrange(8 * file.stat().st_size))
        for file in chosen
    ]


def _try(sound: Path, name: str, bit: int, place: Path) -> Trial:
    file = Path(shutil.copytree(sound / SOUND, place / "s.zarr")) / name
    data = bytearray(file.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    file.write_bytes(data)
    return tried(f"{name} bit {bit}", sound, place, [_reader(name, bit)])


def _reader(name: str, bit: int) -> str:
    """A method that reads the file; of those that all read, one or the other."""
    if RDM in name:
        return "cifd"
    return "clip-embed-kd" if "classes" in name else ("kd", "clip-embed-kd", "cifd")[bit % 3]


FAULT = Fault(trials, full=1000, part=5)

"""The commands that are disturbed: small enough to be run thousands of times, and what each has to leave behind."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachonce.stages.embed import embed
from tests.engine.enginekit import make_store
from tests.stages import embedding, rdmkit, train_killer

ROWS = 130
VIEWS = {"views": 2, "augment": "crop=0.5,flip"}
TEACHER = embedding.attentive()
DATA = embedding.digits(ROWS)
TIMED = ("metrics.jsonl", "result.json", ".runs.jsonl", ".verified.json", "tensorboard/")
"""Files that hold times."""


@dataclass(frozen=True)
class Work:
    """A command."""

    name: str
    prepare: Callable[[Path, Path], None]
    """Makes what it needs: takes the folder of sound things and an empty folder."""
    run: Callable[[Path, Path], None]
    """Takes the same two."""
    repair: Callable[[Path, Path], None] | None = None
    """The same with --repair."""


def _embed(sound: Path, place: Path, **options: Any) -> None:
    embed(teacher=TEACHER, data=DATA, **embedding.options(place / "s.zarr", **VIEWS, **options))


def embed_blocks(place: Path, blocks: str) -> None:
    """Embed some blocks only."""
    _embed(place, place, blocks=blocks)


def _rdm(sound: Path, place: Path, **options: Any) -> None:
    rdmkit.quick(place / "s.zarr", 10, 1, epochs=3, **options)


def _train(sound: Path, place: Path) -> None:
    train_killer.run(sound, place / "run", limit=200)


EMBED = Work("embed", lambda sound, place: None, _embed, lambda s, p: _embed(s, p, repair=True))
RDM = Work(
    "rdm",
    lambda sound, place: shutil.copytree(sound / "fresh.zarr", place / "s.zarr") and None,
    _rdm,
    lambda s, p: _rdm(s, p, repair=True),
)
TRAIN = Work("train", lambda sound, place: None, _train)
WORKS = (EMBED, RDM, TRAIN)


def prepare(sound: Path) -> None:
    """Make what all works share, once."""
    if not (sound / "fresh.zarr").exists():
        rdmkit.make(sound / "fresh.zarr", rows=ROWS, views=2, dtype="float16", failed={5: "truncated"})
        make_store(sound / "s.zarr", views=2)


def undisturbed(work: Work, sound: Path) -> Path:
    """The folder that an undisturbed run leaves, made once."""
    prepare(sound)
    place = sound / work.name
    if not place.exists():
        place.mkdir()
        work.prepare(sound, place)
        work.run(sound, place)
    return place


def result(place: Path) -> dict[str, bytes]:
    """Every file below a folder but those that hold times, and of the metrics all but the times."""
    found = {}
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if path.name == "lock":  # is made again by who needs it
            continue
        if path.is_file() and not any(timed in name for timed in TIMED):
            found[name] = path.read_bytes()
        elif name.endswith("metrics.jsonl"):
            found[name] = json.dumps([_timeless(line) for line in path.read_text().splitlines()]).encode()
    return found


def _timeless(line: str) -> dict[str, Any]:
    entry = json.loads(line)
    return {key: value for key, value in entry.items() if key not in ("seconds", "samples_per_s", "step_ms")}


def differences(place: Path, expected: Path) -> list[str]:
    """The files that differ, are missing or are too many; empty folders are not looked at."""
    found, wanted = result(place), result(expected)
    return [name for name in sorted({*found, *wanted}) if found.get(name) != wanted.get(name)]


def only_set_aside(names: list[str], place: Path) -> bool:
    """Whether all that is wrong is a checkpoint that was set aside, beside a run that is finished."""
    return bool(names) and (place / "run" / "result.json").exists() and all(".previous/" in name for name in names)


def temporaries(place: Path) -> list[str]:
    """Temporary files and folders that were left."""
    return [path.relative_to(place).as_posix() for path in sorted(place.rglob("*.teachonce-tmp-*"))]

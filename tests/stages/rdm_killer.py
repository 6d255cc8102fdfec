"""Trains RDMs in child processes that kill themselves with SIGKILL at a given moment, then goes on with the same call.

Called as `python rdm_killer.py FOLDER`. Everything is imported once and each call is a fork of this process. Prints a
JSON object: the moments of an undisturbed run by kind, and moment -> exit statuses of the killed calls and of the last.
"""

import gc
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from teachonce.cache.writer import TargetWriter
from teachonce.engine.rdm.fit import Fit
from tests.drawn import WHOLE
from tests.forks import forked
from tests.stages.rdmkit import make, quick

KINDS: dict[str, tuple[Any, str]] = {
    "step": (Fit, "step"),
    "fsync": (os, "fsync"),
    "rename": (Path, "rename"),  # of a checkpoint
    "replace": (Path, "replace"),  # of a file of the store
    "commit": (TargetWriter, "commit"),
    "seal": (TargetWriter, "seal"),
    "rmtree": (shutil, "rmtree"),
}


def run(path: Path) -> None:
    quick(path, 10, 1, epochs=3, batch_size=16)


def hook(tick: Callable[[str], None]) -> None:
    """Call `tick` with the kind before every such call."""
    for kind, (owner, name) in KINDS.items():
        setattr(owner, name, ticking(getattr(owner, name), lambda kind=kind: tick(kind)))


def ticking(function: Callable[..., Any], tick: Callable[[], None]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        tick()
        return function(*args, **options)

    return call


def counted(path: Path) -> dict[str, int]:
    """Run undisturbed, and say how often each kind came."""
    counts = dict.fromkeys(KINDS, 0)

    def tick(kind: str) -> None:
        counts[kind] += 1

    hook(tick)
    run(path)
    return counts


def killed(path: Path, wanted: str, number: int) -> None:
    left = [number]

    def tick(kind: str) -> None:
        left[0] -= kind == wanted
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    hook(tick)
    run(path)


def moments(counts: dict[str, int]) -> list[list[tuple[str, int]]]:
    """Spread over each kind; the last of them are killed twice and three times."""
    shares = {"step": 2, "fsync": 4, "rename": 3, "replace": 3, "commit": 2, "seal": 2, "rmtree": 2}
    shares = {kind: share * (1 + 2 * WHOLE) for kind, share in shares.items()}
    spread = {
        kind: {round(i * (counts[kind] - 1) / (share - 1)) for i in range(share)} for kind, share in shares.items()
    }
    third = counts["fsync"] // 3
    several = [[("step", 12), ("fsync", third)], [("fsync", third), ("fsync", third), ("seal", 1)]]
    return [*([(kind, number)] for kind, numbers in spread.items() for number in sorted(numbers)), *several]


def ends(path: Path, points: list[tuple[str, int]]) -> list[Any]:
    """How the killed calls ended, and how the last."""
    died = [forked(lambda kind=kind, number=number: killed(path, kind, number)).status for kind, number in points]
    return [died, forked(lambda: run(path)).status]


def main(root: Path) -> None:
    torch.set_num_threads(1)
    make(root / "fresh.zarr", rows=150, views=2, dtype="float16", failed={5: "truncated"})

    def copy(name: str) -> Path:
        return Path(shutil.copytree(root / "fresh.zarr", root / name / "s.zarr"))

    run(copy("undisturbed"))  # and imports everything
    gc.freeze()
    counting = copy("counted")
    counts = forked(lambda: counted(counting)).must()
    statuses = {}
    for points in moments(counts):
        name = "+".join(f"{kind}-{number}" for kind, number in points)
        statuses[name] = ends(copy(name), points)
    sys.stdout.write(json.dumps({"counts": counts, "statuses": statuses}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Trains in child processes that kill themselves with SIGKILL at a given moment, then goes on with the same call.

Called as `python train_killer.py FOLDER`. Everything is imported once and each training is a fork of this process, so
that many moments can be tried in little time. Prints a JSON object: moment -> exit status of the killed child.
"""

import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from teachonce.cache.store import open_store
from teachonce.engine.step import Stepper
from teachonce.stages.train import train
from tests.drawn import some
from tests.forks import forked

MOMENTS = [
    *(("step", number) for number in (3, 8)),
    *(("fsync", number) for number in some((1, 4, 9, 15, 22, 30, 41), 3, "fsync")),
    *(("rename", number) for number in range(1, 7)),  # 4 and 6: the old folder is set aside, the new not in place
]
ROWS = 104
STUDENT = "tests.models.student_factories:attentive"


def run(root: Path, out: Path, *, limit: int = ROWS) -> None:
    train(
        data="digits",
        limit=limit,
        student=STUDENT,
        image_size=16,
        method="clip-teacher-kd",
        store=open_store(root / "s.zarr").path,
        out=out,
        epochs=3,
        batch_size=32,
        clip_norm=1.0,
        student_augment="crop=0.6",
        device="cpu",
        workers=0,
    )


def dying(function: Callable[..., Any], number: int) -> Callable[..., Any]:
    """The function, until its n-th call: then the process dies without a word."""
    calls = 0

    def call(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)

    return call


def arm(kind: str, number: int) -> None:
    if kind == "step":
        Stepper.step = dying(Stepper.step, number)  # type: ignore[method-assign]
    elif kind == "fsync":
        os.fsync = dying(os.fsync, number)
    else:
        setattr(Path, kind, dying(getattr(Path, kind), number))


def main(root: Path) -> None:
    torch.set_num_threads(1)
    run(root, root / "undisturbed")  # and imports everything
    gc.freeze()
    statuses = {}
    for kind, number in MOMENTS:
        name = f"{kind}-{number}"

        def killed(kind: str = kind, number: int = number, name: str = name) -> None:
            arm(kind, number)
            run(root, root / name)

        statuses[name] = [forked(killed).status, forked(lambda name=name: run(root, root / name)).status]
    sys.stdout.write(json.dumps(statuses))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Small arms for the tests of the live benchmark, and what its meters are proven with: a known time, known bytes."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from teachonce.benchmarks.live.arm import Arm, ArmSpec
from teachonce.benchmarks.live.data import DataSpec
from teachonce.benchmarks.live.work import Work
from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.methods.targets import Targets
from teachonce.options.train import TrainOptions
from teachonce.stages.embed import embed

STUDENT = "vit:patch=8,width=16,layers=1,heads=2"
TEACHER = "vit:patch=8,width=64,layers=2,heads=2"
QUICK = "cnn-2"  # a student that is built without transformers, so that its process starts sooner
ROWS, BATCH, CLASSES = 96, 16, 10
DATA = DataSpec(data=f"random:rows={ROWS},size=32,classes={CLASSES}")
PAUSE_MS = 40.0
HELD = 3 << 20
BRIEF = 32 << 20


def make_store(path: Path) -> Path:
    embed(teacher=TEACHER, data=DATA.open(), store=path, device="cpu", workers=0, batch_size=32)
    return path


def spec(kind: Any, store: Path | None, *, wrap: str | None = None, data: DataSpec = DATA, **changed: Any) -> ArmSpec:
    """An arm of method kd; `wrap` names a function of this file."""
    settings: dict[str, Any] = {
        "student": STUDENT,
        "out": Path("run"),
        "method": "kd",
        "store": store,
        "teacher": TEACHER,
        "batch_size": BATCH,
        "device": "cpu",
        "workers": 0,
        "precision": "float32",
        "val_fraction": 0.0,
    }
    config = TrainOptions(data="digits", **(settings | changed))
    named = None if wrap is None else f"{__name__}:{wrap}"
    return ArmSpec(kind=kind, config=config, data=data, threads=1, wrap=named)


def pause() -> None:
    time.sleep(PAUSE_MS / 1e3)


class Doing(TargetSource):
    """A source that does something else with every batch, first."""

    def __init__(self, source: TargetSource, something: Callable[[], object]) -> None:
        self.specs, self.input, self.usable = source.specs, source.input, source.usable
        self._source, self._something = source, something

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None) -> Targets:
        self._something()
        return self._source.fetch(rows, view, images)


def slow(work: Work) -> None:
    """Every fetch takes 40 ms longer: a live teacher that is worse than it need be."""
    stepper = work.session.stepper
    stepper.source = Doing(stepper.source, pause)


def holding(work: Work) -> None:
    """3 MiB are kept."""
    work.held = torch.zeros(HELD, dtype=torch.uint8)


def slow_and_holding(work: Work) -> None:
    slow(work)
    holding(work)


def brief(work: Work) -> None:
    """32 MiB are taken and given back in every step."""
    stepper = work.session.stepper
    stepper.source = Doing(stepper.source, lambda: torch.zeros(BRIEF, dtype=torch.uint8))


def broken(work: Work) -> None:
    raise LookupError("nothing there")


def greedy(work: Work) -> None:
    torch.empty(1 << 55, dtype=torch.uint8)


def hanging(work: Work) -> None:
    """It tells its parent's log, and comes to no end."""
    os.write(2, b"built")
    threading.Event().wait()


def wait_until_built(arm: Arm) -> None:
    assert arm._said is not None
    while os.pread(arm._said.fileno(), 1 << 16, 0)[-5:] != b"built":
        time.sleep(0.05)

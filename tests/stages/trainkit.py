"""Short trainings on digits, and an audience that remembers."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from teachonce.engine.metrics import read_metrics
from teachonce.errors import TeachonceError
from teachonce.records import to_json
from teachonce.stages.train import TrainResult, train
from tests.heard import Heard as Heard

STUDENT = "vit:patch=8,width=16,layers=1,heads=2"


@dataclass(frozen=True)
class School:
    """Runs below one folder, and their store."""

    home: Path

    @property
    def runs(self) -> Path:
        return self.home / "runs"

    @property
    def store(self) -> Path:
        return self.home / "s.zarr"


def quick(out: Path, **options: Any) -> TrainResult:
    """A training of 200 rows for two epochs."""
    common: dict[str, Any] = {
        "data": "digits",
        "limit": 200,
        "student": STUDENT,
        "image_size": 16,
        "epochs": 2,
        "batch_size": 32,
        "device": "cpu",
        "workers": 0,
    }
    return train(out=out, **(common | options))


@contextmanager
def out_of_reach(folder: Path) -> Iterator[None]:
    """While a teacher is nowhere to be found."""
    hidden = Path(shutil.move(folder, folder.with_name("hidden")))
    try:
        yield
    finally:
        shutil.move(hidden, folder)


def refused(out: Path, kind: type[TeachonceError], **options: Any) -> TeachonceError:
    """The error of a training that must leave nothing behind."""
    with pytest.raises(kind) as caught:
        quick(out, **options)
    assert type(caught.value) is kind
    assert caught.value.mend
    assert "\n" not in str(caught.value)
    assert not out.exists()
    return caught.value


def assert_trained_alike(*runs: Path, **tolerance: float) -> None:
    """The losses and rates of each epoch of two runs are finite and close."""
    for first, second in zip(*(map(to_json, read_metrics(run)) for run in runs), strict=True):
        keys = [key for key in first if key.startswith(("loss", "val_loss", "lr"))]
        assert [first[key] for key in keys] == pytest.approx([second[key] for key in keys], **tolerance), keys

"""Short trainings on digits, and an audience that remembers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

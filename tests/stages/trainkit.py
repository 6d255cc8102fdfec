"""Short trainings on digits, and an audience that remembers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachonce.events import SILENT, Silent, Task
from teachonce.stages.train import TrainResult, train

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


class Heard(Silent):
    """Events that are kept."""

    def __init__(self) -> None:
        self.infos: list[str] = []
        self.warnings: list[str] = []

    @contextmanager
    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> Iterator[Task]:
        with SILENT.task(title, total=total, done=done, unit=unit) as task:
            yield task

    def info(self, text: str) -> None:
        self.infos.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


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

"""A recipe to tune, its steps and trials in this process: fast, and they can be interrupted where a test likes."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from teachonce.errors import TeachonceError
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.tune.worker import train_trial
from tests.cli import made
from tests.pipeline.made import here

RECIPE = """
[data]
train = "parquet:train.parquet"
[teacher.train]
student = "tests.cli.made:tiny"
epochs = 2
batch_size = 32
[store]
path = "s.zarr"
block_rows = 64
batch_size = 32
[run]
workers = 0
device = "cpu"
[[train]]
student = "tests.cli.made:tiny"
method = ["ce", "kd"]
seed = [3, 4]
epochs = 3
batch_size = 16
lr = 0.01
val_fraction = 0.3
[tune]
trials = 4
min_epochs = 1
[tune.space]
lr = {low = 1e-5, high = 5e-2, log = true}
"""
LR = "lr = {low = 1e-5, high = 5e-2, log = true}"


class Here:
    """A worker in this process.

    Attributes:
        trained: The epochs that all workers trained or were told of, as (run folder, epoch).
        interrupt_at: Ctrl-C comes with the so manieth of these.
    """

    trained: list[tuple[str, int]]
    interrupt_at: int | None

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        self._facts = Facts()

    def train(
        self, options: Mapping[str, Any], is_enough: Callable[[Mapping[str, Any]], bool], warned: Callable[[str], None]
    ) -> dict[str, Any]:
        def heard(entry: Mapping[str, Any]) -> bool:
            type(self).trained.append((Path(options["out"]).name, entry["epoch"]))
            if len(self.trained) == self.interrupt_at:
                raise KeyboardInterrupt
            return is_enough(entry)

        try:
            return train_trial(json.loads(json.dumps(options)), self._facts, heard, warned)
        except TeachonceError as error:
            return {"end": "stopped", "kind": error.kind, "message": error.message, "mend": error.mend}

    def end(self, number: int = 0) -> None:
        pass

    def wait(self, seconds: float) -> bool:
        return True

    def close(self) -> None:
        pass


@contextmanager
def in_this_process() -> Iterator[None]:
    """Steps and trials run here."""
    Here.trained, Here.interrupt_at = [], None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("teachonce.pipeline.execute.in_process", here)
        patch.setattr("teachonce.pipeline.tune.search.Worker", Here)
        yield


def write_recipe(folder: Path) -> Path:
    """The recipe and its data in a folder."""
    made.parquet(folder / "train.parquet", made.pictures(), made.labels())
    path = folder / "r.toml"
    path.write_text(RECIPE)
    return path


def change(recipe: Path, old: str, new: str) -> None:
    text = recipe.read_text()
    assert old in text
    recipe.write_text(text.replace(old, new, 1))


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}

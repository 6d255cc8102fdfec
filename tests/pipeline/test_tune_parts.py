"""The parts of a search: when a trial is pruned, the worker's process, the tuned recipe."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import optuna
import pytest

from teachonce.errors import CorruptError, ProcessEndedError
from teachonce.events import SILENT, Silent
from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.tune.journal import open_journal, quiet
from teachonce.pipeline.tune.results import VariantResult
from teachonce.pipeline.tune.variants import find_variants
from teachonce.pipeline.tune.workers import PrunedError, Worker
from teachonce.pipeline.tune.write import write_tuned
from teachonce.processes.process import Pool


def test_optunas_log_is_as_it_was_afterwards(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    before = optuna.logging.get_verbosity()
    with quiet():
        study = optuna.create_study(storage=open_journal(tmp_path / "j" / "journal.log"), study_name="x")
        study.ask()
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")
    again = open_journal(tmp_path / "j" / "journal.log")
    assert [found.study_name for found in again.get_all_studies()] == ["x"]


def test_a_journal_is_of_a_size_that_can_be_read(tmp_path: Path):
    with (tmp_path / "journal.log").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(CorruptError):
        open_journal(tmp_path / "journal.log")


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setattr("teachonce.pipeline.tune.workers.PLACE", "tests.pipeline.tune_program:do")
    with Pool() as pool:
        yield Worker(pool, tmp_path / "logs" / "w.log", {})


@dataclass
class Heard(Silent):
    enough: bool
    heard: list[Any] = field(default_factory=list)

    def warn(self, text: str) -> None:
        self.heard.append(text)

    def epoch(self, entry: Any) -> None:
        self.heard.append(entry)
        if self.enough:
            raise PrunedError


@pytest.mark.parametrize("enough", [False, True])
def test_a_trial_is_heard_of_and_ended_where_that_is_enough(worker: Worker, enough: bool):
    events = Heard(enough)
    assert worker.train({"do": "chat"}, events) == (not enough)
    assert events.heard == ["careful", {"epoch": 1}]


@pytest.mark.parametrize(("do", "how"), [("die", "by signal 9"), ("leave", "with code 3")])
def test_a_worker_that_is_lost_starts_again(worker: Worker, do: str, how: str):
    with pytest.raises(ProcessEndedError, match=how):
        worker.train({"do": do}, SILENT)
    assert worker.train({"do": "chat"}, SILENT)


def test_a_worker_that_is_ended_is_no_failed_trial(tmp_path: Path, worker: Worker):
    pool = worker._pool
    with ThreadPoolExecutor(1) as thread:
        hanging = thread.submit(worker.train, {"do": "hang"}, SILENT)
        while not pool._processes:
            assert not hanging.done()
        pool.__exit__(None, None, None)
        assert isinstance(hanging.exception(30), KeyboardInterrupt)
    for again in (worker, Worker(pool, tmp_path / "again.log", {})):
        with pytest.raises(KeyboardInterrupt):
            again.train({"do": "chat"}, SILENT)


RECIPE = """
[data]
train = "parquet:train.parquet"
test = "digits"
[teacher]
model = "teacher"
[store]
path = "s.zarr"
[[train]]
student = "cnn-2"
method = ["kd", "ce"]
lr = [0.1, 0.2]
milestones = [2, 3]
set = {"kd.temperature" = [2, 4], "kd.ce_weight" = 0.5}
[[train]]
student = "cnn-2"
seed = [0, 1]
name = "long"
epochs = 20
"""


def results(names: list[str], values: dict[str, dict[str, Any]]) -> list[VariantResult]:
    common: dict[str, Any] = dict.fromkeys(each.name for each in fields(VariantResult))
    common |= {"best_trial": 1, "best_value": 0.5, "trials": 8}
    return [VariantResult(**common | {"name": name, "values": values.get(name)}) for name in names]


@pytest.mark.parametrize("place", [".", "elsewhere"])
def test_the_tuned_recipe_has_every_training_with_its_values_and_a_name_of_its_own(tmp_path: Path, place: str):
    for name in ("train.parquet", "teacher"):
        (tmp_path / name).touch()
    (tmp_path / "r.toml").write_text(RECIPE)
    recipe = load_recipe(tmp_path / "r.toml")
    variants = find_variants(recipe.trainings)
    values = {
        "kd-cnn-2-lr=0.1-temperature=2": {"lr": 0.3, "kd.temperature": 7.5},
        "long-ce-cnn-2": {"lr": 0.4, "optimizer": "sgd"},
    }
    path = tmp_path / place / "best.toml"
    write_tuned(path, recipe, list(zip(variants, results([v.name for v in variants], values), strict=True)))
    tuned = load_recipe(path)
    assert [training.name for training in tuned.trainings] == [
        *(f"tuned-lr=0.1-temperature={number}-kd-cnn-2-s0" for number in (2, 4)),
        *(f"tuned-lr=0.2-temperature={number}-kd-cnn-2-s0" for number in (2, 4)),
        *(f"tuned-lr={lr}-ce-cnn-2-s0" for lr in (0.1, 0.2)),
        *("tuned-long-ce-cnn-2-s0", "tuned-long-ce-cnn-2-s1"),
    ]
    first, second, *_, last = [training.options for training in tuned.trainings]
    assert (first.lr, first.settings) == (0.3, {"kd.temperature": 7.5, "kd.ce_weight": 0.5})
    assert (second.lr, second.settings) == (0.1, {"kd.temperature": 4, "kd.ce_weight": 0.5})
    assert (last.lr, last.optimizer, last.epochs, first.milestones) == (0.4, "sgd", 20, (2, 3))
    assert tuned.spec(tuned.data.train) == recipe.spec(recipe.data.train)
    assert tuned.spec(tuned.teacher.model) == recipe.spec(recipe.teacher.model)
    assert tuned.store_path().absolute() == recipe.store_path().absolute()
    assert tuned.out.absolute() == recipe.out.absolute()

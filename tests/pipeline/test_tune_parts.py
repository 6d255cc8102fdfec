"""The parts of a search: when a trial is pruned, the worker's process, the tuned recipe."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from teachonce.errors import CorruptError
from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.tune.halving import Halving
from teachonce.pipeline.tune.journal import open_journal, quiet
from teachonce.pipeline.tune.results import VariantResult
from teachonce.pipeline.tune.variants import find_variants
from teachonce.pipeline.tune.workers import EndedError, Worker
from teachonce.pipeline.tune.write import write_tuned


def pruned_after(pruner: optuna.pruners.BasePruner, values: np.ndarray, direction: str, together: int) -> list[int]:
    """After how many epochs each trial ends, of (trials, epochs) values; `together` trials are at work at once."""
    study = optuna.create_study(direction=direction, pruner=pruner)
    ends: dict[int, int] = {}
    at_work: dict[int, tuple[optuna.Trial, int]] = {}
    while len(ends) < len(values):
        while len(at_work) < together and len(at_work) + len(ends) < len(values):
            trial = study.ask()
            at_work[trial.number] = (trial, 0)
        for number, (trial, epoch) in list(at_work.items()):
            trial.report(values[number, epoch], epoch + 1)
            if trial.should_prune() or epoch + 1 == values.shape[1]:
                ends[number] = epoch + 1
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                del at_work[number]
            else:
                at_work[number] = (trial, epoch + 1)
    return [ends[number] for number in range(len(values))]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize(("first", "factor", "together"), [(1, 2, 1), (2, 2, 2), (1, 3, 3), (3, 4, 1)])
def test_a_trial_is_pruned_where_optunas_own_halving_prunes_it(direction: str, first: int, factor: int, together: int):
    # few different values, so that there are ties
    values = np.random.default_rng(factor).integers(0, 20, (16, 9)) / 20 + np.arange(9)
    with quiet():
        ours = pruned_after(Halving(first, factor), values, direction, together)
        theirs = pruned_after(optuna.pruners.SuccessiveHalvingPruner(first, factor), values, direction, together)
    assert ours == theirs
    assert len(set(ours)) > 1


def test_a_decision_does_not_change_when_it_is_asked_for_again():
    with quiet():
        study = optuna.create_study(direction="maximize", pruner=Halving(1, 2))
        better, worse = study.ask(), study.ask()
        better.report(0.9, 1)
        worse.report(0.5, 1)
        assert [better.should_prune(), worse.should_prune()] == [False, True]
        assert [better.should_prune(), worse.should_prune()] == [False, True]


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
    monkeypatch.setattr("teachonce.pipeline.tune.workers._PROGRAM", "tests.pipeline.tune_program")
    worker = Worker(tmp_path / "logs" / "w.log", {})
    yield worker
    worker.close()


def told(worker: Worker, do: str, enough: bool = False) -> tuple[dict[str, Any], list[Any]]:
    heard: list[Any] = []

    def is_enough(entry: Any) -> bool:
        heard.append(entry)
        return enough

    return worker.train({"do": do}, is_enough, heard.append), heard


def test_a_worker_tells_of_epochs_and_warnings_and_is_told_whether_to_go_on(worker: Worker):
    for enough, end in ((False, "done"), (True, "pruned")):
        assert told(worker, "chat", enough) == ({"end": end}, ["careful", {"epoch": 1}])


@pytest.mark.parametrize(("do", "how"), [("die", "by signal 9"), ("leave", "with code 3")])
def test_a_worker_that_is_lost_is_a_failed_trial_and_starts_again(worker: Worker, do: str, how: str):
    end, _ = told(worker, do)
    assert (end["end"], end["kind"]) == ("failed", "lost")
    assert how in end["message"]
    assert told(worker, "chat")[0] == {"end": "done"}


def test_a_worker_that_is_ended_is_no_failed_trial(worker: Worker):
    ended: list[type[BaseException]] = []

    def hang() -> None:
        try:
            told(worker, "hang")
        except EndedError as error:
            ended.append(type(error))

    assert told(worker, "chat")[0] == {"end": "done"}
    thread = threading.Thread(target=hang)
    thread.start()
    worker.end()
    thread.join(30)
    assert ended == [EndedError]
    assert worker.wait(30)
    with pytest.raises(EndedError):
        told(worker, "chat")


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
    common: dict[str, Any] = {"method": "", "student": "", "source": "", "seeds": [], "space": {}, "own": {}}
    return [
        VariantResult(name=name, values=values.get(name), best_trial=1, best_value=0.5, trials=8, **common)
        for name in names
    ]


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

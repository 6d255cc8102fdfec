"""A search from its first trial to the tuned recipe: killed, gone on with, extended, changed."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teachonce.engine.metrics import read_metrics
from teachonce.engine.runfile import owned, read_run
from teachonce.errors import BusyError, CorruptError, DiskError, InputError, MismatchError, TeachonceError
from teachonce.pipeline.recipe import load_recipe
from teachonce.pipeline.tune.results import TuneResult, VariantResult
from teachonce.records import to_json
from tests.pipeline.trusted import run, tune
from tests.pipeline.tunekit import LR, Here, change, files, in_this_process, write_recipe
from tests.stages.trainkit import Heard


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe whose teacher and store are there."""
    recipe = write_recipe(tmp_path_factory.mktemp("prepared"))
    with in_this_process():
        tune(recipe, trials=1)
    shutil.rmtree(folder(recipe))
    tuned(recipe).unlink()
    return recipe


@pytest.fixture
def recipe(prepared: Path, tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(prepared.parent, tmp_path, dirs_exist_ok=True)
    with in_this_process():
        yield tmp_path / prepared.name


@pytest.fixture(scope="module")
def searched(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TuneResult, int]:
    """A recipe that was tuned, what came of it, and how many epochs it took."""
    place = tmp_path_factory.mktemp("searched")
    shutil.copytree(prepared.parent, place, dirs_exist_ok=True)
    with in_this_process():
        return place / prepared.name, tune(place / prepared.name), len(Here.trained)


def folder(recipe: Path) -> Path:
    return recipe.parent / "r-runs" / "tune"


def tuned(recipe: Path) -> Path:
    return recipe.with_name("r-tuned.toml")


def trial(recipe: Path, variant: VariantResult, number: int) -> Path:
    assert variant.study is not None
    return folder(recipe) / variant.study / f"trial-{number:04d}"


def test_a_dry_run_shows_the_spaces_and_writes_nothing(recipe: Path):
    before = files(recipe.parent)
    planned = tune(recipe, dry_run=True)
    assert files(recipe.parent) == before
    assert {step.name: step.action for step in planned.steps} == {"train teacher": "reuse", "embed": "reuse"}
    ce, kd = planned.variants
    assert (ce.name, ce.seeds, ce.trials, ce.own) == ("ce-tiny", [3, 4], 0, {"lr": 0.01})
    assert ce.space == {"lr": {"low": 1e-5, "high": 5e-2, "log": True}}
    assert list(kd.space) == ["lr", "kd.temperature", "kd.kd_weight"]
    assert kd.own == {"lr": 0.01, "kd.temperature": 4.0, "kd.kd_weight": 0.9}
    assert (planned.best, planned.tuned) == (None, None)


def test_every_variant_gets_as_many_trials_from_its_own_values_on(searched: tuple[Path, TuneResult, int]):
    recipe, result, told = searched
    assert sum(variant.epochs for variant in result.variants) == told
    for variant in result.variants:
        assert variant.trials == variant.done + variant.pruned == 4
        assert variant.pruned > 0
        runs = [trial(recipe, variant, number) for number in range(4)]
        settings = [to_json(read_run(path).settings) for path in runs]
        assert settings[0]["lr"] == 0.01
        assert len({entry["lr"] for entry in settings}) == 4
        assert {entry["seed"] for entry in settings} == {3}
        best = settings[variant.best_trial]
        assert variant.values["lr"] == best["lr"]
        assert all(entry["lr"] == float(f"{entry['lr']:.4g}") for entry in settings)
        epochs = [read_metrics(path) for path in runs]
        assert variant.epochs == sum(map(len, epochs)) < 4 * 3
        assert variant.best_value == max(entry.val_top1 for entry in epochs[variant.best_trial])
    assert json.loads(Path(result.best).read_text())["variants"] == [asdict(variant) for variant in result.variants]


def test_the_weights_of_the_best_student_are_all_that_is_kept(searched: tuple[Path, TuneResult, int]):
    recipe, result, _ = searched
    for variant in result.variants:
        for number in range(4):
            run_folder = trial(recipe, variant, number)
            assert not (run_folder / "checkpoints").exists()
            assert (run_folder / "best").exists() == (number == variant.best_trial)
            assert (run_folder / "metrics.jsonl").exists()


def test_a_search_that_is_done_is_not_done_again(searched: tuple[Path, TuneResult, int]):
    recipe, first, _ = searched
    with in_this_process():
        again = tune(recipe)
        assert not Here.trained
    assert again.variants == first.variants
    assert {step.action for step in again.steps} == {"reuse"}


def test_the_tuned_recipe_runs_as_it_is(searched: tuple[Path, TuneResult, int]):
    recipe, result, _ = searched
    found = {variant.name: variant for variant in result.variants}
    loaded = load_recipe(tuned(recipe))
    assert [training.name for training in loaded.trainings] == [
        *("tuned-ce-tiny-s3", "tuned-ce-tiny-s4", "tuned-kd-tiny-s3", "tuned-kd-tiny-s4")
    ]
    kd = loaded.trainings[-1].options
    values = found["kd-tiny"].values
    assert (kd.lr, kd.epochs, kd.batch_size, kd.val_fraction) == (values["lr"], 3, 16, 0.3)
    assert kd.settings == {name: value for name, value in values.items() if "." in name}
    planned = {step.name: step for step in run(tuned(recipe), dry_run=True).steps}
    assert {name: planned[name].action for name in ("train teacher", "embed")} == dict.fromkeys(
        ("train teacher", "embed"), "reuse"
    )
    assert planned["train tuned-kd-tiny-s3"].action == "run"


def test_a_search_that_is_killed_time_and_again_goes_on_to_the_same_end(
    recipe: Path, searched: tuple[Path, TuneResult, int]
):
    _, whole, epochs = searched
    journal, trained, again = folder(recipe) / "journal.log", 0, list[tuple[str, int]]()
    for at in [1, *map(int, np.random.default_rng(3).integers(5, 8, 2)), None]:
        Here.trained, Here.interrupt_at = [], at
        if at is None:
            result = tune(recipe)
        else:
            with pytest.raises(KeyboardInterrupt):
                tune(recipe)
            (folder(recipe) / "journal.log.lock").symlink_to("journal.log")  # as a kill leaves it
            with journal.open("ab") as file:
                file.write(b'{"op_code":7,"worker')
        assert Here.trained[: len(again)] == again  # told again, not trained again
        trained += len(Here.trained) - len(again)
        name, epoch = Here.trained[-1]
        again = [(name, number) for number in range(1, epoch + 1)]
    assert [asdict(variant) for variant in result.variants] == [asdict(variant) for variant in whole.variants]
    assert trained == epochs


def test_more_trials_go_on_from_those_that_are_there_also_in_a_journal_of_an_earlier_version(recipe: Path):
    few = tune(recipe, trials=1)
    before = len(Here.trained)
    journal = folder(recipe) / "journal.log"
    lines = journal.read_text().splitlines(keepends=True)
    earlier = [line for line in lines if "completed_rung" not in line]  # which had a pruner without notes
    assert len(earlier) < len(lines)
    journal.write_text("".join(earlier))
    more = tune(recipe, trials=3)
    assert [variant.trials for variant in more.variants] == [3, 3]
    assert [variant.study for variant in more.variants] == [variant.study for variant in few.variants]
    assert {name for name, _ in Here.trained[before:]} == {"trial-0001", "trial-0002"}


def test_another_space_is_another_search(recipe: Path):
    first = tune(recipe, trials=1)
    recipe.write_text(recipe.read_text() + "kd.temperature = [1, 2]\n")
    events = Heard()
    second = tune(recipe, trials=1, events=events)
    assert second.variants[0] == first.variants[0]
    assert second.variants[1].study != first.variants[1].study
    assert [text for text in events.warnings if "kd-tiny" in text and first.variants[1].study in text]
    assert second.variants[1].values["kd.temperature"] in (1, 2)
    start = read_run(trial(recipe, second.variants[1], 0)).settings.settings
    assert start["temperature"] == 2  # the nearest to the recipe's own 4


def test_other_targets_are_another_search(recipe: Path):
    first = tune(recipe, trials=1)
    shutil.rmtree(recipe.parent / "s.zarr")
    change(recipe, 'path = "s.zarr"', 'path = "s.zarr"\ndtype = "float32"')
    second = tune(recipe, trials=1)
    assert second.variants[1].study != first.variants[1].study


def test_a_trial_that_fails_is_told_and_the_others_go_on(recipe: Path):
    change(recipe, LR, "lr = {low = 1e-2, high = 1e37, log = true}")  # but for the first trial, hardly one can train
    events = Heard()
    result = tune(recipe, events=events)
    assert all(variant.failed > 0 and variant.done > 0 and variant.trials == 4 for variant in result.variants)
    assert all(variant.values["lr"] < 1e9 for variant in result.variants)
    told = [text for text in events.warnings if "failed and is left out" in text]
    assert len(told) == sum(variant.failed for variant in result.variants)
    assert tune(recipe).variants == result.variants


def test_a_search_that_finds_nothing_writes_nothing(recipe: Path):
    change(recipe, "lr = 0.01", "lr = 1e30")
    change(recipe, LR, "lr = [1e29, 1e30]")
    with pytest.raises(TeachonceError, match="no trial finished: the loss is not finite at step 2"):
        tune(recipe, trials=1)
    assert not tuned(recipe).exists()


def test_one_variant_that_finds_nothing_keeps_its_values(recipe: Path):
    change(recipe, 'method = ["ce", "kd"]', 'method = ["ce", "kd"]\nset = {"kd.kd_weight" = 1e38}')
    recipe.write_text(recipe.read_text() + '"kd.kd_weight" = [1e38]\n"kd.temperature" = [4]\n')
    events = Heard()
    ce, kd = tune(recipe, trials=1, events=events).variants
    assert (ce.done, kd.done, kd.failed, kd.values) == (1, 0, 1, None)
    assert any("kd-tiny: no trial finished" in text for text in events.warnings)
    assert load_recipe(tuned(recipe)).trainings[-1].options.settings == {"kd.kd_weight": 1e38}


def test_losses_can_be_compared_too(recipe: Path):
    change(recipe, "trials = 4", 'trials = 2\nmetric = "val_loss"')
    for variant in tune(recipe).variants:
        values = [
            min(entry.val_loss for entry in read_metrics(path)) for path in trial(recipe, variant, 0).parent.iterdir()
        ]
        assert variant.best_value == min(values)


def test_what_stops_every_trial_ends_the_search_and_is_no_failed_trial(recipe: Path):
    def refuse(*_: Any) -> None:
        raise MismatchError("other data", "use the same")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("teachonce.pipeline.tune.worker.read_metrics", refuse)
        with pytest.raises(MismatchError, match="ce-tiny trial 0: other data"):
            tune(recipe)
    assert [(variant.done, variant.failed) for variant in tune(recipe, trials=1).variants] == [(1, 0), (1, 0)]


def test_two_searches_do_not_share_a_folder(recipe: Path):
    with owned(folder(recipe)), pytest.raises(BusyError):
        tune(recipe)


@pytest.mark.parametrize("content", [b"no journal\n", b'{"op_code": 4}\n', b"3\n", b'{"op_code":7}\n\xff\n'])
def test_a_journal_that_is_corrupt(recipe: Path, content: bytes):
    folder(recipe).mkdir(parents=True)
    (folder(recipe) / "journal.log").write_bytes(content)
    with pytest.raises(CorruptError, match=r"journal\.log is not a journal") as caught:
        tune(recipe)
    assert "Remove the folder" in caught.value.mend
    assert (folder(recipe) / "journal.log").read_bytes() == content


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("trials = 4", "trials = 0", "[tune] trials: expected at least 1, got 0"),
        ("trials = 4", "trails = 5", "[tune] trails is unknown, did you mean trials?"),
        ("trials = 4", 'metric = "top1"', "[tune] metric: expected 'val_top1' or 'val_loss', got 'top1'"),
        (LR, "lr = []", "[tune.space] lr is empty"),
        (LR, "cifd.temperature = [1]", "[tune.space] cifd.temperature is for cifd"),
        (LR, "kd.temprature = [1]", "method kd has no setting 'kd.temprature'"),
        (LR, "kd.temperature = [1, -1]", "[tune.space] kd.temperature = -1"),
        (LR, "lr = {low = -1, high = 1}", "[tune.space] lr = -1.0: lr: expected at least 0, got -1.0"),
        ("val_fraction = 0.3", "val_fraction = 0.0", "ce-tiny, kd-tiny has none"),
    ],
)
def test_recipes_that_cannot_be_tuned(recipe: Path, old: str, new: str, told: str):
    change(recipe, old, new)
    before = files(recipe.parent)
    with pytest.raises(InputError) as caught:
        tune(recipe)
    assert told in caught.value.message
    assert files(recipe.parent) == before


@pytest.mark.parametrize("given", [{"trials": 0}, {"jobs": 0}])
def test_numbers_that_cannot_be(recipe: Path, given: dict[str, Any]):
    with pytest.raises(InputError, match="got 0"):
        tune(recipe, **given)


def test_a_recipe_of_someone_else_is_not_written_over(recipe: Path, tmp_path: Path):
    with pytest.raises(InputError, match="was not written by"):
        tune(recipe, write=recipe)
    tuned(recipe).write_text("[data]\n")
    with pytest.raises(InputError, match="was not written by"):
        tune(recipe)
    assert not folder(recipe).exists()


def test_a_place_that_cannot_be_written_is_told_before_the_search(recipe: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("teachonce.places.os.access", lambda path, mode: False)
    with pytest.raises(DiskError) as caught:
        tune(recipe, write=recipe.parent / "x" / "best.toml")
    assert caught.value.mend == f"Choose another --write: {recipe.parent} is not yours to write"
    assert not folder(recipe).exists()


def test_a_tuned_recipe_elsewhere_names_the_same_things(recipe: Path, tmp_path: Path):
    elsewhere = tmp_path / "x" / "best.toml"
    tune(recipe, trials=1, write=elsewhere)
    steps = {step.name: step.action for step in run(elsewhere, dry_run=True).steps}
    assert (steps["train teacher"], steps["embed"]) == ("reuse", "reuse")
    assert load_recipe(elsewhere).out == tmp_path / "r-runs"

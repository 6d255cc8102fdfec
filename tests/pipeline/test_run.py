"""A recipe from the first run to the second: what is there is reused, what does not fit is refused."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from teachonce.errors import DataError, InputError, MismatchError, ModelError, TeachonceError
from teachonce.events import SILENT, Lines
from teachonce.pipeline.execute import in_process
from teachonce.pipeline.run import RunResult
from teachonce.pipeline.steps import Step
from teachonce.processes.template import Template
from tests.cli import made
from tests.pipeline.conftest import Written
from tests.pipeline.trusted import run

RECIPE = """
[data]
train = "parquet:train.parquet"
test = "parquet:test.parquet"
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
epochs = 1
batch_size = 32
[[train]]
student = "tests.cli.made:tiny"
method = "kd"
source = "live"
epochs = 1
batch_size = 32
"""
STEPS = [
    *("train teacher", "evaluate teacher", "embed"),
    *("train ce-tiny-s0", "evaluate ce-tiny-s0", "train kd-tiny-s0", "evaluate kd-tiny-s0"),
    *("train kd-tiny-s0-live", "evaluate kd-tiny-s0-live"),
]


@pytest.fixture
def recipe(written: Written) -> Path:
    """A recipe whose steps run in this process; a test below starts a real one."""
    return written(RECIPE)


def change(recipe: Path, old: str, new: str) -> None:
    text = recipe.read_text()
    assert old in text
    recipe.write_text(text.replace(old, new, 1))


def actions(result: RunResult) -> dict[str, str]:
    return {step.name: step.action for step in result.steps}


def reason(result: RunResult, name: str) -> str:
    (found,) = [step.reason for step in result.steps if step.name == name]
    return found


def files(folder: Path) -> Mapping[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(recipe: Path):
    before = files(recipe.parent)
    planned = run(recipe, dry_run=True)
    assert actions(planned) == dict.fromkeys(STEPS, "run")
    assert reason(planned, "embed") == "the teacher does not exist yet"
    assert not planned.comparison
    assert files(recipe.parent) == before


@pytest.fixture
def finished(recipe: Path) -> RunResult:
    return run(recipe)


def test_a_run_ends_with_a_comparison(finished: RunResult, recipe: Path):
    assert actions(finished) == dict.fromkeys(STEPS, "run")
    assert all(step.result for step in finished.steps)
    assert [row["name"] for row in finished.comparison] == ["teacher", "ce-tiny-s0", "kd-tiny-s0", "kd-tiny-s0-live"]
    assert all(0 <= row["top1"] <= 1 and row["host_memory_bytes"] > 0 for row in finished.comparison)
    (ratio,) = finished.ratios
    assert ratio["name"] == "kd-tiny-s0"
    assert ratio["top1_difference"] == pytest.approx(0, abs=0.2)
    assert (recipe.parent / "r-runs" / "kd-tiny-s0" / "best" / "model.safetensors").is_file()


def test_a_second_run_reuses_everything(finished: RunResult, recipe: Path):
    before = files(recipe.parent)
    again = run(recipe)
    assert actions(again) == dict.fromkeys(STEPS, "reuse")
    assert [row["top1"] for row in again.comparison] == [row["top1"] for row in finished.comparison]
    assert files(recipe.parent) == before
    assert actions(run(recipe, dry_run=True)) == dict.fromkeys(STEPS, "reuse")


def test_only_what_is_missing_runs(finished: RunResult, recipe: Path):
    shutil.rmtree(recipe.parent / "r-runs" / "ce-tiny-s0")
    (recipe.parent / "r-runs" / "kd-tiny-s0" / "evaluation.json").unlink()
    missing = {"train ce-tiny-s0", "evaluate ce-tiny-s0", "evaluate kd-tiny-s0"}
    assert actions(run(recipe)) == {step: "run" if step in missing else "reuse" for step in STEPS}


def test_a_store_that_is_gone_is_made_again_and_its_runs_still_fit(finished: RunResult, recipe: Path):
    shutil.rmtree(recipe.parent / "s.zarr")
    again = run(recipe)
    assert actions(again)["embed"] == "run"
    (trained,) = [step.result for step in again.steps if step.name == "train kd-tiny-s0"]
    assert trained is not None
    assert trained["reused"]


@pytest.mark.parametrize(
    ("old", "new", "step", "told"),
    [
        ("epochs = 2", "epochs = 3", "train teacher", "epochs 2, got 3"),
        ('path = "s.zarr"', 'path = "s.zarr"\ndtype = "float32"', "embed", "float32"),
        ('method = ["ce", "kd"]', 'method = ["ce", "kd"]\nlr = 0.5', "train kd-tiny-s0", "lr 0.001, got 0.5"),
    ],
)
def test_other_settings_in_the_same_place_are_refused_before_anything_runs(
    finished: RunResult, recipe: Path, old: str, new: str, step: str, told: str
):
    change(recipe, old, new)
    before = files(recipe.parent)
    planned = run(recipe, dry_run=True)
    assert actions(planned)[step] == "refuse"
    assert told in reason(planned, step)
    with pytest.raises(MismatchError) as caught:
        run(recipe)
    assert step in caught.value.message
    assert told in caught.value.message
    assert files(recipe.parent) == before


def test_other_test_data_is_measured_again(finished: RunResult, recipe: Path):
    made.parquet(recipe.parent / "test.parquet", made.pictures(30, seed=2), made.labels(30))
    measured = {step for step, action in actions(run(recipe)).items() if action == "run"}
    assert measured == {step for step in STEPS if step.startswith("evaluate")}


@pytest.mark.parametrize(
    ("test", "kind", "told"),
    [
        ("parquet:tset.parquet", DataError, "tset.parquet"),
        ("parquet:unlabelled.parquet", DataError, "labels"),
        ("digits", MismatchError, "the training data has 3 classes and not '0'"),
        ("parquet:train.parquet", InputError, "the test data are the training data"),
    ],
)
def test_test_data_that_cannot_be_used_is_told_before_anything_runs(
    recipe: Path, test: str, kind: type[TeachonceError], told: str
):
    made.parquet(recipe.parent / "unlabelled.parquet", made.pictures(), None)
    change(recipe, "parquet:test.parquet", test)
    with pytest.raises(kind, match=told):
        run(str(recipe), dry_run=True)


def test_trainings_that_cannot_be_are_all_named_at_once(recipe: Path):
    change(recipe, 'method = ["ce", "kd"]', 'method = ["kdd", "kd"]\nset = {"kd.temprature" = 4}')
    with pytest.raises(InputError) as caught:
        run(recipe, dry_run=True)
    assert "train kdd-tiny-s0" in caught.value.message
    assert "train kd-tiny-s0" in caught.value.message
    assert "temprature" in caught.value.message


def test_students_that_cannot_be_are_all_named_before_anything_runs(recipe: Path):
    change(recipe, '[[train]]\nstudent = "tests.cli.made:tiny"', '[[train]]\nstudent = ["cnn-3", "vit:pach=4"]')
    with pytest.raises(ModelError, match=r"3 layers.*pach"):
        run(recipe)
    assert not (recipe.parent / "r-runs").exists()


def test_a_method_that_needs_a_teacher_needs_one_in_the_recipe(recipe: Path):
    text = recipe.read_text()
    recipe.write_text(text[: text.index("[teacher.train]")] + text[text.index("[run]") :])
    with pytest.raises(InputError, match="kd"):
        run(recipe, dry_run=True)


def test_a_step_gives_its_result_or_its_error(tmp_path: Path):
    options = {
        "data": "digits",
        "limit": 40,
        "student": "cnn-2",
        "out": str(tmp_path / "run"),
        "epochs": 1,
        "batch_size": 16,
    }
    step = Step(name="train it", verb="train", options={**options, "workers": 0, "device": "cpu", "threads": 1})
    lines: list[str] = []
    with Template(()) as template:
        assert in_process(step, Lines(lines.append), template)["epochs"] == 1
        assert any(line.startswith("train ce: 2/2") for line in lines)
        with pytest.raises(MismatchError, match="train it: ") as caught:
            in_process(replace(step, options={**step.options, "lr": 0.5}), SILENT, template)
    assert caught.value.mend


def test_test_data_may_lack_a_class_and_number_the_others_in_another_order(recipe: Path):
    """Row r of the pictures is of the class r mod 3."""
    plain = actions(run(recipe))
    pictures = made.pictures(60, seed=1)
    rows = [row for row in range(60) if row % 3]
    named = made.class_label(["cat", "bee"])
    made.parquet(recipe.parent / "few.parquet", [pictures[row] for row in rows], [2 - row % 3 for row in rows], named)
    change(recipe, "parquet:test.parquet", "parquet:few.parquet")
    done = run(recipe)
    assert set(plain.values()) == {"run"}
    found = [step.result for step in done.steps if step.name == "evaluate teacher"]
    assert found
    assert found[0] is not None
    assert [entry["rows"] for entry in found[0]["per_class"]] == [0, 20, 20]

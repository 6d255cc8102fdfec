"""Evaluating runs and stores."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from teachonce.data.render import render
from teachonce.errors import DataError, DiskError, InputError, MismatchError, StoreMissingError
from teachonce.models.students import load_student
from teachonce.pipeline.evaluations import recorded
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.steps import Step
from teachonce.plots.runs import read_runs
from teachonce.records import to_json
from teachonce.stages.evaluate import evaluate
from teachonce.types import ArraySpec
from tests.cli import made
from tests.engine.enginekit import add_target, digits, make_store, some
from tests.stages.trainkit import Heard, quick


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evaluate") / "run"
    quick(path, limit=None, epochs=6, lr=3e-3)
    return path


def test_a_run_on_the_test_split(run: Path):
    result = evaluate(run=run, data="digits", device="cpu", workers=0, batch_size=100)
    data, student = digits(None, "test"), load_student(run)
    whole = np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (360, 1))
    with torch.inference_mode():
        _, logits = student(render(torch.from_numpy(data.images), whole, student.input))
    labels = torch.from_numpy(data.labels.astype(np.int64))
    assert result.rows == 360
    assert result.top1 == pytest.approx(float((logits.argmax(1) == labels).double().mean()))
    assert result.loss == pytest.approx(float(torch.nn.functional.cross_entropy(logits, labels)), rel=1e-5)
    assert result.top1 > 0.3
    assert result.top5 > result.top1
    assert [entry.name for entry in result.per_class] == [str(digit) for digit in range(10)]
    right = sum(entry.rows * entry.top1 for entry in result.per_class)
    assert right == pytest.approx(result.top1 * 360)


def test_it_is_kept_for_reports(run: Path, tmp_path: Path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    (copy / "evaluation.json").unlink(missing_ok=True)
    heard = Heard()
    for limit in (None, 50):  # all of it, and some of it
        heard.warnings.clear()
        evaluate(run=copy, data="digits", split="train", limit=limit, device="cpu", workers=0, events=heard)
        assert not (copy / "evaluation.json").exists()
        assert any("trained on this data" in warning for warning in heard.warnings)
    result = evaluate(run=copy, data="digits", device="cpu", workers=0)
    kept = json.loads((copy / "evaluation.json").read_text())
    assert kept["result"] == to_json(result)
    (found,) = read_runs([copy], heard)
    assert found.test_top1 == result.top1
    facts = Facts()
    step = Step(name="evaluate run", verb="evaluate", options={"run": str(copy), "data": "digits"})
    assert recorded(step, facts) == kept["result"]  # `teachonce run` need not measure it again
    assert recorded(replace(step, options={**step.options, "limit": 9}), facts) is None


@pytest.mark.parametrize("limit", [None, 40, 30])
def test_data_that_a_run_was_trained_on_a_part_of_is_no_test(tmp_path: Path, limit: int | None):
    quick(tmp_path / "run", limit=40)
    heard, options = Heard(), {"device": "cpu", "workers": 0}
    evaluate(run=tmp_path / "run", data="digits", split="train", limit=limit, events=heard, **options)
    assert not (tmp_path / "run" / "evaluation.json").exists()
    assert any("trained on this data" in warning for warning in heard.warnings)


def test_other_data_of_the_same_name_are_a_test(tmp_path: Path):
    for place, seed in (("train", 0), ("test", 1)):
        (tmp_path / place).mkdir()
        made.parquet(tmp_path / place / "d.parquet", made.pictures(60 + seed, seed=seed), made.labels(60 + seed))
    quick(tmp_path / "run", data=f"parquet:{tmp_path}/train/d.parquet", limit=None)
    evaluate(run=tmp_path / "run", data=f"parquet:{tmp_path}/test/d.parquet", device="cpu", workers=0)
    kept = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert kept["command"] == sys.argv
    assert kept["time"] > "2026"


def test_a_full_disk_loses_no_result(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    copy, heard = tmp_path / "run", Heard()
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("evaluation.json"))

    def full(*_: object) -> None:
        raise DiskError("could not write evaluation.json: No space left on device", "Free some space")

    monkeypatch.setattr("teachonce.engine.evalfile.write", full)
    assert evaluate(run=copy, data="digits", device="cpu", workers=0, events=heard).rows == 360
    assert "No space left" in heard.warnings[-1]


def test_a_store_of_a_trained_teacher_is_worth_something(run: Path, tmp_path: Path):
    from teachonce.models.teacher import load_teacher

    data = digits(600)
    trained = make_store(tmp_path / "t.zarr", samples=data, teacher=load_teacher(str(run)))
    result = evaluate(store=trained.path, data=data, device="cpu")
    assert result.rows + result.train_rows == 600
    assert 40 < result.rows < 80
    assert result.knn_top1 > 0.5
    assert result.linear_top1 > 0.5
    again = evaluate(store=trained.path, device="cpu")
    assert again == result
    assert evaluate(store=trained.path, device="cpu", seed=1).rows != 0


def test_bfloat16_and_views(tmp_path: Path):
    store = make_store(tmp_path / "b.zarr", dtype="bfloat16", views=2)
    assert 0 <= evaluate(store=store.path, device="cpu", neighbours=1).knn_top1 <= 1


def test_rows_that_failed_for_the_target_alone_are_left_out(tmp_path: Path):
    store = make_store(tmp_path / "s.zarr")
    whole = evaluate(store=store.path, device="cpu")
    embeddings = {"image_embedding": store.target("teacher").all("image_embedding")[:, None]}
    specs = {"image_embedding": ArraySpec(shape=embeddings["image_embedding"].shape[2:], dtype="float16")}
    add_target(store, "gaps", embeddings, specs, head=None, labels=store.labels(), failed=tuple(range(30)))
    result = evaluate(store=store.path, target="gaps", device="cpu")
    assert result.rows + result.train_rows == 170
    assert result.rows < whole.rows


def test_a_run_that_is_not_finished(tmp_path: Path):
    heard = Heard()
    quick(tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    evaluate(run=tmp_path / "run", data="digits", limit=20, device="cpu", workers=0, events=heard)
    assert "not finished" in heard.warnings[0]


def test_unnamed_data_may_show_fewer_classes(run: Path):
    data = digits(20, "test")
    few = np.flatnonzero(data.labels < 4)
    some_rows = some(data, images=data.images[few], labels=data.labels[few], class_names=None)
    assert evaluate(run=run, data=some_rows, device="cpu").rows == len(few)
    more = some(data, labels=data.labels + 5, class_names=None)
    with pytest.raises(MismatchError, match="10 classes"):
        evaluate(run=run, data=more, device="cpu")


def test_classes_in_another_order_are_matched_by_name(run: Path):
    data, heard = digits(40, "test"), Heard()
    names = [*data.class_names[:8], "9", "8"]
    places = np.array([names.index(name) for name in data.class_names])
    moved = some(data, class_names=names, labels=places[data.labels])
    plain, found = (evaluate(run=run, data=each, device="cpu", events=heard) for each in (data, moved))
    assert (found.top1, found.loss, found.per_class) == (plain.top1, plain.loss, plain.per_class)
    assert any("'9' is 8 in the data, 9 for" in line for line in heard.infos)


def test_named_data_may_lack_classes_and_have_no_others(run: Path):
    data = digits(60, "test")
    rows = np.flatnonzero(np.isin(data.labels, (3, 7)))
    few = some(data, images=data.images[rows], labels=(data.labels[rows] == 7), class_names=["3", "7"])
    found = evaluate(run=run, data=few, device="cpu")
    assert found.rows == len(rows)
    assert [entry.name for entry in found.per_class if entry.rows] == ["3", "7"]
    other = some(data, images=data.images[rows], labels=(data.labels[rows] == 7), class_names=["3", "seven"])
    with pytest.raises(MismatchError, match="'seven'"):
        evaluate(run=run, data=other, device="cpu")


def test_rows_without_a_label_are_left_out(run: Path):
    data = digits(40, "test")
    bare = data.labels.copy()
    bare[::4] = -1
    kept = some(data, images=data.images[bare >= 0], labels=data.labels[bare >= 0])
    found, expected = (evaluate(run=run, data=each, device="cpu") for each in (some(data, labels=bare), kept))
    assert (found.rows, found.left_out) == (30, 10)
    assert found.top1 == expected.top1


def test_what_cannot_be_evaluated(run: Path, tmp_path: Path):
    data = digits()
    bare = some(data, labels=None, class_names=None)
    with pytest.raises(InputError, match="one of"):
        evaluate(data="digits")
    with pytest.raises(InputError, match="none was given"):
        evaluate(run=run)
    with pytest.raises(InputError, match="at least 1"):
        evaluate(run=run, data="digits", neighbours=0)
    with pytest.raises(StoreMissingError, match="no run"):
        evaluate(run=tmp_path / "none", data="digits")
    with pytest.raises(StoreMissingError, match="no store"):
        evaluate(store=tmp_path / "none.zarr")
    with pytest.raises(DataError, match="labels"):
        evaluate(run=run, data=bare)
    unlabelled = make_store(tmp_path / "n.zarr", samples=bare)
    with pytest.raises(DataError, match="no labels"):
        evaluate(store=unlabelled.path, device="cpu")
    store = make_store(tmp_path / "s.zarr")
    with pytest.raises(StoreMissingError, match="no target"):
        evaluate(store=store.path, target="none", device="cpu")
    with pytest.raises(MismatchError, match="reordered"):
        evaluate(store=store.path, data=some(data, images=data.images[::-1], labels=data.labels[::-1]), device="cpu")

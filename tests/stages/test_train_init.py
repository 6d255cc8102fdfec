"""A student that does not begin at random: what a run takes, says and is known by."""

import json
import shutil
from pathlib import Path

import pytest
import tomli_w

from teachonce.errors import MismatchError, ModelError
from teachonce.models.initial import initial_digest
from teachonce.models.students import load_student
from teachonce.pipeline.run import run
from tests.stages.trainkit import STUDENT, Heard, quick

STILL = {"lr": 1e-30, "weight_decay": 0.0, "epochs": 1}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("init") / "source"
    quick(folder, epochs=1, seed=3)
    return folder


def test_training_begins_with_the_weights_of_the_run(source: Path, tmp_path: Path):
    heard = Heard()
    quick(tmp_path / "run", init=source, events=heard, **STILL)
    ours, theirs = (load_student(folder).state_dict() for folder in (tmp_path / "run", source))
    assert all(ours[name].equal(theirs[name]) for name in theirs)
    assert any(str(source) in text and "head too" in text for text in heard.infos)
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    assert told["init"] == {"source": str(source), "head": True, "unused": []}
    assert told["settings"]["init"] == initial_digest(str(source))


def test_it_is_known_by_the_weights_and_not_by_their_place(source: Path, tmp_path: Path):
    copy, options = tmp_path / "copy", {**STILL, "out": tmp_path / "run"}
    shutil.copytree(source, copy)
    quick(init=copy, **options)
    assert quick(init=source, **options).reused
    for other in (None, tmp_path / "other"):
        if other is not None:
            quick(other, epochs=1, seed=4)
        with pytest.raises(MismatchError, match="init"):
            quick(init=other, **options)


def test_nothing_is_written_where_the_source_does_not_fit(source: Path, tmp_path: Path):
    with pytest.raises(ModelError):
        quick(tmp_path / "run", init=source, student=STUDENT.replace("16", "32"))
    assert not (tmp_path / "run").exists()


def recipe(folder: Path, init: str) -> Path:
    data = {"train": "digits", "limit": 100}
    training = {"student": STUDENT, "image_size": 16, "epochs": 1, "init": init}
    path = folder / "recipe.toml"
    path.write_text(tomli_w.dumps({"data": data, "train": [training]}))
    return path


def test_in_a_recipe_it_lies_beside_the_recipe(source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    path = recipe(source.parent, "source")
    (step,) = run(path, dry_run=True).steps
    assert step.action == "run"
    path = recipe(source.parent, "nowhere/at/all")
    with pytest.raises(ModelError, match="nowhere"):
        run(path, dry_run=True)

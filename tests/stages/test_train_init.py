"""A student that does not begin at random: what a run takes, says and is known by."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tomli_w
import torch

from teachonce.data.samples import ArraySamples
from teachonce.errors import MismatchError, ModelError
from teachonce.models.frozen import linear_head
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
    assert told["init"] == {
        "source": str(source), "head": True, "unused": [], "reordered": False, "bgr": False
    }  # fmt: skip
    assert told["settings"]["init"] == initial_digest(str(source))


def named(names: Sequence[str], seed: int) -> ArraySamples:
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (64, 16, 16, 3), np.uint8)
    return ArraySamples(images, np.arange(64) % len(names), list(names))


@pytest.mark.parametrize("student", ["cnn-2", "vit:patch=8,width=16,layers=1,heads=2"])
@pytest.mark.parametrize("seed", range(3))
def test_a_head_is_taken_by_the_names_of_its_classes(tmp_path: Path, student: str, seed: int):
    generator = np.random.default_rng(seed)
    theirs = [f"Class_{index}" for index in generator.permutation(12)]
    ours = [theirs[index].replace("_", " ").lower() for index in generator.permutation(12)]
    common = {"student": student, "limit": None, **STILL}
    quick(tmp_path / "source", data=named(theirs, seed), **common)
    heard = Heard()
    quick(tmp_path / "run", data=named(ours, seed), init=tmp_path / "source", events=heard, **common)
    trained, source = (linear_head(load_student(tmp_path / name)) for name in ("run", "source"))
    assert trained is not None
    assert source is not None
    order = [theirs.index(name.replace("class ", "Class_")) for name in ours]
    assert trained[0].equal(source[0][order])
    assert torch.allclose(trained[1], source[1][order])
    assert any("matched by name" in text for text in heard.infos)
    known = json.loads((tmp_path / "run" / "run.json").read_text())["init"]
    assert (known["head"], known["reordered"]) == (True, True)


def test_a_head_of_other_classes_stays_random_though_their_number_is_the_same(tmp_path: Path):
    common = {"student": "cnn-2", "limit": None, **STILL}
    quick(tmp_path / "source", data=named(["ant", "bee", "cat"], 1), **common)
    quick(tmp_path / "bare", data=named(["ant", "bee", "dog"], 1), **common)
    quick(tmp_path / "run", data=named(["ant", "bee", "dog"], 1), init=tmp_path / "source", **common)
    run, bare = (linear_head(load_student(tmp_path / name)) for name in ("run", "bare"))
    assert run[0].equal(bare[0])
    assert json.loads((tmp_path / "run" / "run.json").read_text())["init"]["head"] is False
    quick(tmp_path / "numbers", data=named(sorted(map(str, range(12))), 1), **common)
    quick(tmp_path / "again", data=named([str(n) for n in range(12)], 1), init=tmp_path / "numbers", **common)
    first, second = (linear_head(load_student(tmp_path / name)) for name in ("numbers", "again"))
    assert second[0][10].equal(first[0][2])


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

"""`verify`: the store, its data, its teacher; what it says, and what it leaves."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from embedding import Wrapped, digits, options, snapshot, teacher
from torch import Tensor
from typer.testing import CliRunner

from teachonce.cache import open_store
from teachonce.cache.mark import mark_path, verified_at
from teachonce.cli import app
from teachonce.data.samples import ArraySamples
from teachonce.engine.stage_one.again import TOLERANCE
from teachonce.errors import InputError, StoreMissingError
from teachonce.models import Signals
from teachonce.stages.embed import embed
from teachonce.stages.verify import VerifyResult, verify

ROWS = 200
FAST = {"device": "cpu", "workers": 0}


def damage(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[7] ^= 16
    file.write_bytes(data)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "s.zarr"
    embed(teacher=teacher(), data=digits(ROWS), **options(path, views=2, augment="crop=0.5,flip"))
    return path


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "s.zarr"))


def again(store: Path, model: Any, **changes: Any) -> VerifyResult:
    return verify(store=store, data=digits(ROWS), teacher=model, **FAST | changes)


class TestStore:
    def test_a_sound_one_is_read_once_and_marked(self, store: Path):
        before = snapshot(store)
        result = verify(store=store)
        assert (result.ok, result.problems, result.bad_blocks, result.targets) == (True, [], {}, ["teacher"])
        assert result.bytes == sum(len(data) for data in before.values())
        assert result.files == sum(len(data) > 0 for data in before.values())  # locks are empty
        assert snapshot(store) == before
        assert verified_at(open_store(store), "teacher")

    def test_bad_ones_are_named_by_block_and_leave_no_mark(self, store: Path):
        damage(store / "targets/teacher/logits/c/1/1/0")
        damage(store / "samples/label/c/3")
        (store / "targets/teacher/image_embedding/c/0/0/0").unlink()
        result = verify(store=store)
        assert not result.ok
        assert result.bad_blocks == {"samples": [3], "teacher": [0, 1]}
        assert {(p["kind"], p["block"]) for p in result.problems} == {("digest", 1), ("digest", 3), ("missing", 0)}
        assert not mark_path(store).exists()

    def test_an_unsealed_one_is_not_complete(self, tmp_path: Path):
        path = tmp_path / "s.zarr"
        embed(teacher=teacher(), data=digits(ROWS), **options(path, blocks="0:2"))
        result = verify(store=path)
        assert {(p["kind"], p["target"]) for p in result.problems} == {("unsealed", "samples"), ("unsealed", "teacher")}

    def test_nothing_there(self, tmp_path: Path):
        with pytest.raises(StoreMissingError):
            verify(store=tmp_path / "no.zarr")

    @pytest.mark.parametrize("allowed", [True, False])
    def test_rows_of_zeros(self, tmp_path: Path, allowed: bool):
        def blank(pixels: Tensor, signal: Signals) -> Signals:
            signal["image_embedding"][3] = 0
            return signal

        path = tmp_path / "s.zarr"
        embed(teacher=Wrapped(teacher(), blank), data=digits(ROWS), **options(path))
        result = verify(store=path, allow_zeros=allowed)
        assert result.ok is allowed
        assert {p["kind"] for p in result.problems} == (set() if allowed else {"zeros"})


class TestData:
    def test_the_same(self, store: Path):
        assert verify(store=store, data=digits(ROWS)).data == "ok"

    @pytest.mark.parametrize("other", ["another row", "another label", "fewer rows", "another order"])
    def test_another(self, store: Path, other: str):
        images, labels = [image.copy() for image in digits(ROWS).images], digits(ROWS).labels.copy()
        if other == "another row":
            images[177][0, 0] ^= 1
        elif other == "another label":
            labels[177] = (labels[177] + 1) % 10
        elif other == "another order":
            images[5], images[177] = images[177], images[5]
        count = ROWS - 1 if other == "fewer rows" else ROWS
        data = ArraySamples(images[:count], labels[:count], digits(ROWS).class_names, description={})
        result = verify(store=store, data=data)
        assert not result.ok
        assert result.data != "ok"
        assert result.problems == []


class TestTeacher:
    def test_its_own(self, store: Path):
        result = again(store, teacher(), sample=50)
        assert result.ok
        assert result.teacher is not None
        assert (result.teacher.rows, result.teacher.outside, result.teacher.differs) == (50, 0, None)
        assert result.teacher.largest <= result.teacher.tolerance == TOLERANCE["float16"]

    def test_another(self, store: Path):
        result = again(store, teacher(seed=1))
        assert not result.ok
        assert result.teacher is not None
        assert result.teacher.outside == result.teacher.rows == ROWS
        assert result.teacher.differs == "teacher weights"
        assert len(result.teacher.worst) == 10

    def test_one_that_gives_other_values_by_the_same_weights(self, store: Path):
        """The same weights behind another preprocessing, say: only what is computed can tell."""

        def brighter(pixels: Tensor, signal: Signals) -> Signals:
            return teacher()(pixels + 0.1)

        result = again(store, Wrapped(teacher(), brighter))
        assert result.teacher is not None
        assert result.teacher.differs is None
        assert not result.ok

    def test_rounding_is_no_difference(self, store: Path):
        def rounded(pixels: Tensor, signal: Signals) -> Signals:
            change = lambda value: value * (1 + 1e-4 * torch.sign(value))  # noqa: E731
            return {name: change(value) for name, value in signal.items()}

        result = again(store, Wrapped(teacher(), rounded))
        assert result.ok

    def test_without_data(self, store: Path):
        with pytest.raises(InputError):
            verify(store=store, teacher="cnn-2")

    def test_the_choice_of_rows_is_seeded(self, store: Path):
        seen: list[list[float]] = []

        def listen(pixels: Tensor, signal: Signals) -> Signals:
            seen[-1].append(float(pixels.sum()))
            return signal

        for seed in (0, 0, 1):
            seen.append([])
            again(store, Wrapped(teacher(), listen), sample=20, seed=seed)
        assert seen[0] == seen[1] != seen[2]


def call(*words: object) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["verify", *map(str, words), "--json"])
    return done.exit_code, json.loads(done.stdout)


class TestCommand:
    def test_a_sound_store(self, store: Path):
        code, told = call(store)
        assert (code, told["ok"], told["teacher"]) == (0, True, None)
        assert np.isfinite(told["seconds"])

    def test_a_damaged_one(self, store: Path):
        damage(store / "views/params/c/2/1/0")
        code, told = call(store)
        assert (code, told["ok"], told["bad_blocks"], told["error"]["kind"]) == (1, False, {"samples": [2]}, "corrupt")
        assert "--repair" in told["error"]["mend"]

    def test_other_data(self, store: Path):
        code, told = call(store, "--data", "digits", "--split", "test", "--limit", ROWS)
        assert (code, told["error"]["kind"]) == (1, "mismatch")

    def test_another_teacher(self, store: Path):
        code, told = call(
            store, "--data", "digits", "--split", "all", "--limit", ROWS, "--teacher", "cnn-2", "--image-size", 16,
            "--seed", 5, "--sample", 30, "--device", "cpu", "--workers", 0,
        )  # fmt: skip
        assert (code, told["error"]["kind"]) == (1, "mismatch")
        assert told["teacher"]["rows"] == 30

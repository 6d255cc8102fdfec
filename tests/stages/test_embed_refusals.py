"""What `embed` refuses, in which words, and that nothing is written or lost."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from teachonce.cache import TargetWriter, open_store
from teachonce.data.samples import ArraySamples
from teachonce.errors import (
    BusyError,
    DiskError,
    InputError,
    MismatchError,
    ModelError,
    NonFiniteError,
    StoreError,
)
from teachonce.models import Signals
from teachonce.stages.embed import embed
from tests.stages.embedding import Heard, Wrapped, digits, interrupted, options, snapshot, spoiled, teacher

DATA = digits(200)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk: no machine goes down here."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A sealed store of DATA."""
    embed(teacher=teacher(), data=DATA, **options(tmp_path / "s.zarr"))
    return tmp_path / "s.zarr"


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A store of DATA whose blocks 1 and 2 are there."""
    embed(teacher=teacher(), data=DATA, **options(tmp_path / "b.zarr", blocks="1:3"))
    return tmp_path / "b.zarr"


def refused(
    path: Path, kind: type[Exception], *words: str, model: Any = None, data: Any = DATA, **changed: Any
) -> None:
    """The call fails in these words, and changes nothing."""
    before = snapshot(path.parent)
    with pytest.raises(kind) as error:
        embed(teacher=model or teacher(), data=data, **options(path, **changed))
    for word in words:
        assert word in str(error.value)
    assert snapshot(path.parent) == before


def changed_data(rows: np.ndarray, labels: np.ndarray | None = None, names: Any = DATA.class_names) -> ArraySamples:
    images = np.asarray(DATA.images)[rows]
    return ArraySamples(images, DATA.labels[rows] if labels is None else labels, names)


ROWS = np.arange(200)
SWAPPED = np.r_[:70, 71, 70, 72:200]
RELABELLED = np.where(ROWS == 130, (DATA.labels + 1) % 10, DATA.labels)
OTHER = {
    "fewer": (changed_data(ROWS[:199]), ["rows", "200", "199"]),
    "reordered": (changed_data(SWAPPED, DATA.labels), ["row 70", "order"]),
    "another": (changed_data(np.where(ROWS == 130, 131, ROWS), DATA.labels), ["row 130"]),
    "relabelled": (changed_data(ROWS, RELABELLED), ["row 130", "label"]),
    "renamed": (changed_data(ROWS, names=tuple("1023456789")), ["class names 0", "0", "1"]),
    "unlabelled": (ArraySamples(DATA.images, None), ["labels", "none"]),
}


@pytest.mark.parametrize("how", OTHER)
@pytest.mark.parametrize("name", ["teacher", "second"])
def test_other_data_for_a_sealed_store(store: Path, how: str, name: str):
    data, words = OTHER[how]
    refused(store, MismatchError, *words, data=data, name=name)


@pytest.mark.parametrize("how", OTHER)
@pytest.mark.parametrize("name", ["teacher", "second"])
def test_other_data_for_a_store_that_was_begun(begun: Path, how: str, name: str):
    data, words = OTHER[how]
    refused(begun, MismatchError, *words, data=data, name=name)


def test_every_row_is_compared_as_it_is_decoded(store: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("teachonce.engine.stage_one.stored._SECONDS", 0.0)
    monkeypatch.setattr("teachonce.engine.datacheck.SPREAD", 3)
    data, words = OTHER["reordered"]
    before = snapshot(store / "samples")
    with pytest.raises(MismatchError) as error:
        embed(teacher=teacher(1), data=data, **options(store, name="second"))
    assert all(word in str(error.value) for word in words)
    assert snapshot(store / "samples") == before
    assert open_store(store).targets()["second"].blocks_done == 1
    assert embed(teacher=teacher(1), data=DATA, **options(store, name="second")).reused_blocks == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": teacher(1)}, ["teacher weights"]),
        ({"dtype": "float32"}, ["dtype", "float16", "float32"]),
        ({"views": 2, "augment": "flip"}, ["views"]),
        ({"augment": "flip"}, ["views augment"]),
        ({"block_rows": 32}, ["blocks of 64 rows", "32"]),
    ],
)
def test_other_settings_for_a_sealed_target(store: Path, changed: dict[str, Any], words: list[str]):
    refused(store, MismatchError, *words, **changed)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model": teacher(1)}, ["teacher weights"]),
        ({"dtype": "bfloat16"}, ["dtype"]),
        ({"batch_size": 16}, ["batch size", "48", "16"]),
        ({"precision": "bf16"}, ["compute dtype", "float32", "bfloat16"]),
    ],
)
def test_going_on_with_something_else(begun: Path, changed: dict[str, Any], words: list[str]):
    refused(begun, MismatchError, *words, **changed)


@pytest.mark.parametrize("views", [1, None])
def test_one_view_of_a_store_with_two(tmp_path: Path, views: int | None):
    path = tmp_path / "s.zarr"
    embed(teacher=teacher(), data=DATA, **options(path, views=2, augment="flip", seed=1))
    refused(path, MismatchError, "views seed", augment="flip", seed=2)
    if views:
        refused(path, MismatchError, "views", views=views)
    else:
        assert embed(teacher=teacher(), data=DATA, **options(path, views=views)).reused_blocks == 4


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"dtype": "int8"}, ["int8", "float16"]),
        ({"views": 2}, ["2 views", "--augment"]),
        ({"views": 0}, ["views", "0"]),
        ({"augment": "blur"}, ["blur"]),
        ({"batch_size": 0}, ["batch_size", "at least 1"]),
        ({"block_rows": 48}, ["power of two"]),
        ({"per_class": 0}, ["per_class", "at least 1", "all"]),
        ({"max_failed": -1}, ["max_failed", "at least 0"]),
        ({"blocks": "2:9"}, ["2:9", "4"]),
        ({"blocks": "some"}, ["some"]),
        ({"name": "samples"}, ["samples"]),
        ({"name": "a/b"}, ["a/b"]),
        ({"precision": "int4"}, ["int4"]),
        ({"device": "abacus"}, ["abacus"]),
        ({"workers": -1}, ["workers"]),
        ({"seed": 1 << 64}, ["seed"]),
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, changed: dict[str, Any], words: list[str]):
    refused(tmp_path / "s.zarr", InputError, *words, **changed)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_what_no_teacher_should_say_names_the_row(tmp_path: Path, value: float, word: str):
    refused(tmp_path / "s.zarr", NonFiniteError, "row 2 ", word, model=spoiled(teacher(), value, batch=0))


def test_nan_in_a_later_block_keeps_those_before(tmp_path: Path):
    path = tmp_path / "s.zarr"
    with pytest.raises(NonFiniteError, match="row 130 "):
        embed(teacher=spoiled(teacher(), np.nan, batch=4), data=DATA, **options(path))
    assert open_store(path).targets()["teacher"].blocks_done == 2
    embed(teacher=teacher(), data=DATA, **options(path))
    embed(teacher=teacher(), data=DATA, **options(tmp_path / "other.zarr"))
    assert snapshot(path) == snapshot(tmp_path / "other.zarr")


def test_overflow_names_the_dtypes_to_use(tmp_path: Path):
    path = tmp_path / "s.zarr"
    refused(path, NonFiniteError, "row 2 ", "70000", "bfloat16", "float32", model=spoiled(teacher(), 7e4, batch=0))
    embed(teacher=spoiled(teacher(), 7e4, batch=0), data=DATA, **options(path, dtype="bfloat16"))
    assert open_store(path).target("teacher").read("image_embedding", np.array([2]), 0).dtype == np.uint16


def test_a_teacher_that_is_wider_than_it_says(tmp_path: Path):
    def widen(pixels: Any, signal: Signals) -> Signals:
        return signal | {"image_embedding": signal["image_embedding"].repeat(1, 2)}

    refused(tmp_path / "s.zarr", ModelError, "wide", model=Wrapped(teacher(), widen))


def test_too_little_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1 << 30, 1 << 30, 100_000))
    refused(tmp_path / "s.zarr", DiskError, "free", "--dtype")


def test_a_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    refused(tmp_path / "s.zarr", DiskError, "Choose another --store", "not yours to write")


def test_a_disk_that_fails_in_the_background_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, seen = tmp_path / "s.zarr", Heard()
    real = TargetWriter.commit

    def fail(self: TargetWriter, block: int, *rest: Any) -> None:
        if block == 3:
            raise DiskError("could not write", "Free some space") from OSError(errno.ENOSPC, "full")
        real(self, block, *rest)

    monkeypatch.setattr(TargetWriter, "commit", fail)
    with pytest.raises(DiskError):
        embed(teacher=teacher(), data=digits(), events=seen, **options(path))
    assert seen.done < 64 * 10
    monkeypatch.undo()
    assert embed(teacher=teacher(), data=digits(), **options(path)).reused_blocks == 3


def test_a_folder_of_something_else(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "dear.txt").write_text("keep me")
    refused(tmp_path / "photos", StoreError, "dear.txt")
    refused(tmp_path / "photos" / "dear.txt", StoreError, "file")


def test_two_writers_of_the_same_blocks(begun: Path):
    def other() -> None:
        embed(teacher=teacher(), data=DATA, **options(begun, blocks="0:1"))

    with pytest.raises(BusyError):
        embed(teacher=teacher(), data=DATA, events=Heard(140, other), **options(begun, batch_size=None))
    assert embed(teacher=teacher(), data=DATA, **options(begun)).sealed


def test_locks_are_given_back_after_ctrl_c(begun: Path):
    with pytest.raises(KeyboardInterrupt):
        embed(teacher=teacher(), data=DATA, events=Heard(140, interrupted), **options(begun))
    assert embed(teacher=teacher(), data=DATA, **options(begun)).sealed

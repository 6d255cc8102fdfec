"""Stores that do not fit what is asked of them: refused in one line, and not touched."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli import made
from tests.cli.conftest import Call
from tests.cli.words import embed_words, snapshot
from tests.cli.words import train_words as words_of_train


def train_words(out: Path, data: str, method: str, store: Path, *words: object) -> list[object]:
    return words_of_train(out, data, "--method", method, "--store", store, *words)


@pytest.fixture
def data(tmp_path: Path) -> str:
    return made.parquet(tmp_path / "data.parquet", made.pictures(), made.labels())


@pytest.fixture
def store(tmp_path: Path, call: Call, data: str) -> Path:
    path = tmp_path / "s.zarr"
    done = call(*embed_words(path, data))
    assert done.code == 0, done.out
    return path


def refused(call: Call, store: Path, words: list[object], kind: str = "mismatch") -> dict[str, str]:
    """The error of a command line that must leave the store as it is."""
    before = snapshot(store)
    error = call(*words).error
    assert error["kind"] == kind, error
    assert error["mend"]
    assert snapshot(store) == before
    return error


def test_another_teacher_for_the_same_target(call: Call, store: Path, data: str):
    error = refused(call, store, embed_words(store, data, "--seed", 0, "--teacher", "tests.cli.made:another"))
    assert "weights" in error["message"]


def test_another_dtype_for_the_same_target(call: Call, store: Path, data: str):
    error = refused(call, store, embed_words(store, data, "--dtype", "float32"))
    assert "float16" in error["message"]
    assert "float32" in error["message"]


def test_another_dataset_for_the_same_store(call: Call, store: Path, tmp_path: Path):
    other = made.parquet(tmp_path / "other.parquet", made.pictures(60), made.labels(60))
    error = refused(call, store, embed_words(store, other))
    assert "90" in error["message"]
    assert "60" in error["message"]


@pytest.fixture
def unsealed(tmp_path: Path, call: Call, data: str) -> Path:
    path = tmp_path / "u.zarr"
    call(*embed_words(path, data, "--blocks", "0:1"))
    assert call("inspect", path, "--json").json["targets"]["teacher"]["sealed"] is False
    return path


def test_going_on_with_another_batch_size(call: Call, unsealed: Path, data: str):
    error = refused(call, unsealed, embed_words(unsealed, data, batch_size=16))
    assert "batch" in error["message"]
    assert "32" in error["message"] + error["mend"]


def test_going_on_with_another_dtype(call: Call, unsealed: Path, data: str):
    assert "dtype" in refused(call, unsealed, embed_words(unsealed, data, "--dtype", "bfloat16"))["message"]


def test_going_on_with_the_same_seals(call: Call, unsealed: Path, data: str, store: Path):
    done = call(*embed_words(unsealed, data))
    assert done.code == 0, done.out
    assert done.json["reused_blocks"] == 1
    assert snapshot(unsealed) == snapshot(store)


def test_an_unsealed_store_given_to_train(call: Call, unsealed: Path, data: str, tmp_path: Path):
    error = refused(call, unsealed, train_words(tmp_path / "run", data, "kd", unsealed), "unsealed")
    assert "1 of 2" in error["message"]
    assert "teachonce embed" in error["mend"]
    assert not (tmp_path / "run").exists()


def changed(folder: Path, how: str) -> str:
    pictures, labels = made.pictures(), made.labels()
    if how == "other":
        pictures[5:] = made.pictures(seed=1)[5:]
    if how == "reordered":
        for column in (pictures, labels):
            column[7], column[10] = column[10], column[7]
    if how == "relabelled":
        labels[20], labels[21] = labels[21], labels[20]
    if how == "fewer":
        pictures, labels = pictures[:-1], labels[:-1]
    return made.parquet(folder / f"{how}.parquet", pictures, labels)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("other", ("other data", "row 5")),
        ("reordered", ("reordered", "row 7")),
        ("relabelled", ("relabelled", "row 20")),
        ("fewer", ("90", "89")),
    ],
)
def test_a_store_of_other_data(call: Call, store: Path, tmp_path: Path, how: str, told: tuple[str, ...]):
    error = refused(call, store, train_words(tmp_path / "run", changed(tmp_path, how), "kd", store))
    assert all(words in error["message"] for words in told), error
    assert not (tmp_path / "run").exists()


def test_a_store_that_is_not_there(call: Call, tmp_path: Path, data: str):
    error = call(*train_words(tmp_path / "run", data, "kd", tmp_path / "none.zarr")).error
    assert error["kind"] == "missing"
    assert "teachonce embed" in error["mend"]
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "none.zarr").exists()


def test_a_target_that_is_not_there(call: Call, store: Path, data: str, tmp_path: Path):
    error = refused(call, store, train_words(tmp_path / "run", data, "kd", store, "--target", "big"), "missing")
    assert "teacher" in error["message"]  # the targets there are
    assert not (tmp_path / "run").exists()


def test_a_store_without_logits_names_the_command(call: Call, data: str, tmp_path: Path):
    encoder, path = made.encoder(tmp_path / "encoder"), tmp_path / "e.zarr"
    done = call(*embed_words(path, data, "--teacher", encoder))
    assert done.code == 0, done.out
    error = refused(call, path, train_words(tmp_path / "run", data, "kd", path), "missing")
    assert "logits" in error["message"]
    assert "teachonce embed" in error["mend"]
    assert not (tmp_path / "run").exists()


def test_a_store_without_class_means_names_the_command(call: Call, data: str, tmp_path: Path):
    path = tmp_path / "n.zarr"
    assert call(*embed_words(path, data, "--label-column", "none")).code == 0
    error = refused(call, path, train_words(tmp_path / "run", data, "clip-embed-kd", path), "missing")
    assert "mean" in error["message"]
    assert "teachonce embed" in error["mend"]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("how", ["counts", "order"])
def test_classes_of_teacher_and_data_differ(call: Call, tmp_path: Path, data: str, how: str):
    """A teacher trained on other classes: the store can be made, a method that uses its logits is refused."""
    names = ["ant", "bee", "cat", "dog"] if how == "counts" else ["bee", "ant", "cat"]
    theirs = made.parquet(tmp_path / "t.parquet", made.pictures(), made.labels(), made.class_label(names))
    done = call(*words_of_train(tmp_path / "teacher", theirs))
    assert done.code == 0, done.out
    path = tmp_path / "c.zarr"
    made_store = call(*embed_words(path, data, "--teacher", tmp_path / "teacher", "--trust-remote-code"))
    error = (
        made_store.error if made_store.code else refused(call, path, train_words(tmp_path / "run", data, "kd", path))
    )
    assert error["kind"] == "mismatch"
    assert ("4" in error["message"] and "3" in error["message"]) if how == "counts" else "'bee'" in error["message"]
    assert not (tmp_path / "run").exists()


def test_the_same_run_folder_for_other_settings(call: Call, store: Path, data: str, tmp_path: Path):
    assert call(*train_words(tmp_path / "run", data, "kd", store)).code == 0
    before = snapshot(tmp_path / "run")
    error = call(*train_words(tmp_path / "run", data, "kd", store, "--lr", 0.5)).error
    assert error["kind"] == "mismatch"
    assert "0.5" in error["message"]
    assert snapshot(tmp_path / "run") == before


@pytest.mark.parametrize("damage", ["missing", "shorter"])
def test_a_damaged_chunk_given_to_train(call: Call, store: Path, data: str, tmp_path: Path, damage: str):
    chunk = max((store / "targets").rglob("c/*"), key=lambda path: path.is_file() and path.stat().st_size)
    if damage == "missing":
        chunk.unlink()
    else:
        chunk.write_bytes(chunk.read_bytes()[:-2])
    error = call(*train_words(tmp_path / "run", data, "clip-teacher-kd", store)).error
    assert error["kind"] == "corrupt"
    assert chunk.name in error["message"]


def test_a_folder_that_is_something_else(call: Call, tmp_path: Path, data: str):
    place = tmp_path / "photos"
    place.mkdir()
    (place / "dear.txt").write_text("keep me")
    for words in (embed_words(place, data), words_of_train(place, data)):
        assert call(*words).code == 1
        assert snapshot(place) == {"dear.txt": b"keep me"}


def test_export_refuses_what_is_there(call: Call, store: Path, unsealed: Path, tmp_path: Path):
    out = tmp_path / "out.h5"
    assert call("export", store, "--out", out, "--json").code == 0
    before: Any = out.read_bytes()
    assert "out.h5" in call("export", store, "--out", out, "--json").error["message"]
    assert out.read_bytes() == before
    assert call("export", unsealed, "--out", tmp_path / "u.h5", "--json").error["kind"] == "unsealed"
    assert not (tmp_path / "u.h5").exists()
    shutil.rmtree(store)
    assert call("export", store, "--out", tmp_path / "n.h5", "--json").error["kind"] == "missing"

"""Data and teachers that cannot be used: one line with the mend, and nothing left behind."""

from pathlib import Path
from typing import Any

import datasets
import pytest

from teachonce.digests import digest_bytes
from tests.cli import made
from tests.cli.conftest import Call, Outcome
from tests.cli.words import TINY, embed_words, train_words


def embed(call: Call, tmp: Path, *words: object, data: str = "digits", teacher: str = TINY) -> Outcome:
    return call(*embed_words(tmp / "s.zarr", data, "--teacher", teacher, *words))


def train(call: Call, tmp: Path, *words: object, data: str) -> Outcome:
    return call(*train_words(tmp / "run", data, *words))


def nothing(tmp: Path) -> bool:
    return not (tmp / "s.zarr").exists() and not (tmp / "run").exists()


@pytest.mark.parametrize(
    ("teacher", "told"),
    [
        ("no/such/folder", "no/such/folder"),
        ("cnn-3", "cnn-"),
        ("vit:pach=4", "patch"),
        ("tests.cli.made:none", "none"),
    ],
)
def test_unknown_teacher(call: Call, tmp_path: Path, teacher: str, told: str):
    error = embed(call, tmp_path, teacher=teacher).error
    assert error["kind"] == "model"
    assert told in error["message"] + error["mend"]
    assert error["mend"]
    assert nothing(tmp_path)


@pytest.mark.parametrize(
    ("data", "words", "told"),
    [
        ("parquet:none.parquet", (), "none.parquet"),
        ("folder:none", (), "none"),
        ("disk:none", (), "none"),
        ("digits", ("--split", "middle"), "middle"),
    ],
)
@pytest.mark.parametrize("verb", [embed, train])
def test_unknown_dataset_or_split(call: Call, tmp_path: Path, verb: Any, data: str, words: Any, told: str):
    error = verb(call, tmp_path, *words, data=data).error
    assert error["kind"] == "data"
    assert told in error["message"]
    assert error["mend"]
    assert nothing(tmp_path)


@pytest.mark.parametrize("option", ["--image-column", "--label-column", "--key-column"])
@pytest.mark.parametrize("verb", [embed, train])
def test_unknown_column(call: Call, tmp_path: Path, verb: Any, option: str):
    data = made.parquet(tmp_path / "d.parquet", made.pictures(), made.labels())
    error = verb(call, tmp_path, option, "colour", data=data).error
    assert error["kind"] == "data"
    assert "colour" in error["message"]
    assert "image" in error["message"] + error["mend"]  # the columns there are
    assert nothing(tmp_path)


@pytest.mark.parametrize("verb", [embed, train])
def test_an_empty_dataset(call: Call, tmp_path: Path, verb: Any):
    error = verb(call, tmp_path, data=made.parquet(tmp_path / "d.parquet", [], [])).error
    assert error["kind"] == "data"
    assert nothing(tmp_path)


def test_truncated_images_are_listed_and_a_larger_limit_seals_without_the_teacher(call: Call, tmp_path: Path):
    data = made.folder_of_images(tmp_path / "images", truncated=(3, 4))
    error = embed(call, tmp_path, data=data).error
    assert error["kind"] == "failed-samples"
    assert "2" in error["message"]
    assert "truncated" in error["message"]
    assert "--max-failed" in error["mend"]
    assert call("inspect", tmp_path / "s.zarr", "--json").json["targets"]["teacher"]["sealed"] is False
    done = embed(call, tmp_path, "--max-failed", 2, data=data)
    assert done.code == 0, done.err
    assert done.json["failed"] == 2
    assert done.json["reused_blocks"] == 1
    assert call("inspect", tmp_path / "s.zarr", "--json").json["targets"]["teacher"]["sealed"] is True


def test_a_failed_sample_is_told_by_file(call: Call, tmp_path: Path):
    data = made.folder_of_images(tmp_path / "images", truncated=(3, 4))
    bad = [str(tmp_path / "images" / made.NAMES[row % 3] / f"{row:03d}.png") for row in (3, 4)]
    message = embed(call, tmp_path, data=data).error["message"]
    assert all(path in message for path in bad)
    assert "005.png" not in message
    store = tmp_path / "s.zarr"
    assert "failed_samples" not in call("inspect", store, "--json").json
    without = call("inspect", store, "--failed", "--json").json["failed_samples"]
    told = call("inspect", store, "--data", data, "--json").json["failed_samples"]
    assert [{**entry, "name": None} for entry in told] == without
    assert sorted(entry["name"] for entry in told) == bad
    assert {(entry["reason"], entry["where"]) for entry in told} == {("truncated", "samples")}
    content = {entry["name"]: int(entry["content"], 16) for entry in told}
    assert content == {path: digest_bytes(Path(path).read_bytes()) for path in bad}
    shown = call("inspect", store, "--failed", "--data", data).out
    assert all(path in shown for path in bad)
    assert bad[0] not in call("inspect", store, "--failed").out


def test_rows_are_not_named_by_other_data(call: Call, tmp_path: Path):
    data = made.folder_of_images(tmp_path / "images", truncated=(3, 4))
    embed(call, tmp_path, data=data)
    Path(tmp_path / "images" / "ant" / "003.png").write_bytes(b"another")
    for other in (data, made.folder_of_images(tmp_path / "more", rows=13, truncated=(3, 4))):
        assert call("inspect", tmp_path / "s.zarr", "--data", other, "--json").error["kind"] == "mismatch"


def test_rows_without_files_are_told_by_content_or_key(call: Call, tmp_path: Path):
    good = made.pictures(9)
    images = [{"bytes": b"no image", "path": None}, *good, None]
    data = made.parquet(tmp_path / "d.parquet", images, None)
    message = embed(call, tmp_path, "--name", "t", data=data).error["message"]
    assert f"{digest_bytes(b'no image'):016x}" in message
    told = call("inspect", tmp_path / "s.zarr", "--data", data, "--json").json["failed_samples"]
    assert [(entry["row"], entry["name"]) for entry in told] == [(0, None), (10, None)]
    assert (told[0]["content"], told[1]["content"]) == (f"{digest_bytes(b'no image'):016x}", None)
    whole = tmp_path / "whole"
    assert embed(call, whole, data=made.parquet(tmp_path / "g.parquet", good, None)).code == 0
    assert call("inspect", whole / "s.zarr", "--failed", "--json").json["failed_samples"] == []


def test_data_without_labels_where_they_are_needed(call: Call, tmp_path: Path):
    data = made.parquet(tmp_path / "d.parquet", made.pictures(), None)
    error = train(call, tmp_path, data=data).error
    assert error["kind"] == "data"
    assert "labels" in error["message"]
    assert "--label-column" in error["mend"]
    assert nothing(tmp_path)
    assert embed(call, tmp_path, data=data).code == 0  # a teacher needs none


SEVERAL = [[0, 1] for _ in range(made.ROWS)]
REAL = [0.5] * made.ROWS


@pytest.mark.parametrize(
    ("label", "kind", "told"),
    [
        (SEVERAL, datasets.Sequence(datasets.Value("int64")), "one"),
        (REAL, datasets.Value("float32"), "real numbers"),
    ],
    ids=["several", "real"],
)
@pytest.mark.parametrize("verb", [embed, train])
def test_labels_that_are_no_classes(call: Call, tmp_path: Path, verb: Any, label: Any, kind: Any, told: str):
    data = made.parquet(tmp_path / "d.parquet", made.pictures(), label, kind)
    error = verb(call, tmp_path, data=data).error
    assert error["kind"] == "data"
    assert told in error["message"]
    assert "--label-column" in error["mend"]
    assert nothing(tmp_path)


def test_a_teacher_with_infinite_weights(call: Call, tmp_path: Path):
    data = made.parquet(tmp_path / "d.parquet", made.pictures(), made.labels())
    error = embed(call, tmp_path, data=data, teacher="tests.cli.made:broken").error
    assert error["kind"] == "nonfinite"
    assert "row" in error["message"]
    assert nothing(tmp_path)


def test_overflow_in_float16_names_the_dtypes_to_use(call: Call, tmp_path: Path):
    data = made.parquet(tmp_path / "d.parquet", made.pictures(), made.labels())
    error = embed(call, tmp_path, data=data, teacher="tests.cli.made:large").error
    assert error["kind"] == "nonfinite"
    assert "float16" in error["message"]
    assert "float32" in error["mend"]
    assert "bfloat16" in error["mend"]
    assert nothing(tmp_path)
    other = embed(call, tmp_path, "--dtype", "float32", "--name", "wide", data=data, teacher="tests.cli.made:large")
    assert other.code == 0, other.out


def test_classes_of_teacher_and_data_differ_in_number(call: Call, tmp_path: Path):
    data = made.parquet(tmp_path / "d.parquet", made.pictures(), made.labels())
    error = embed(call, tmp_path, data=data, teacher="tests.cli.made:seven").error
    assert error["kind"] == "model"

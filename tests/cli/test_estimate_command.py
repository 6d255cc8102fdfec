"""`teachonce estimate` from a command line: one object, or a verdict and tables."""

from pathlib import Path

import pytest

from tests.cli import made
from tests.cli.conftest import Call
from tests.cli.words import TINY, embed_words

KEYS = {
    *("kind", "format", "verdict", "samples_per_s", "seconds", "hours", "store_bytes", "peak_memory_bytes", "limit"),
    *("host_memory_bytes", "table", "student", "machine", "versions", "command", "free_bytes", "batch_size"),
}


@pytest.fixture
def data(tmp_path: Path) -> str:
    return made.parquet(tmp_path / "data.parquet", made.pictures(), made.labels())


def test_one_object_and_the_bytes_of_the_store(call: Call, tmp_path: Path, data: str):
    words = embed_words(tmp_path / "s.zarr", data)
    there = sorted(tmp_path.iterdir())
    asked = ["--teacher-batch" if word == "--batch-size" else word for word in words[1:]]
    found = call("estimate", *asked, "--seconds", 0.1).json
    assert sorted(tmp_path.iterdir()) == there
    assert found.keys() >= KEYS
    assert (found["kind"], found["format"], found["rows"]) == ("teachonce.estimate", 1, made.ROWS)
    assert found["student"] is None
    call(*words)
    real = sum(path.stat().st_size for path in (tmp_path / "s.zarr").rglob("*") if path.is_file())
    assert found["store_bytes"] == real


def test_a_verdict_and_tables(call: Call, data: str, tmp_path: Path):
    words = ("--data", data, "--store", tmp_path / "s.zarr", "--seconds", 0.1, "--threads", 1)
    student = ("--student", TINY, "--batch-size", 16, "--epochs", 2, "--workers", 0)
    done = call("estimate", "--teacher", TINY, *words, *student)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert "take" in lines[0] or "live teacher is better" in lines[0]
    assert "90 of 90 are left to run" in done.out
    assert "bfloat16" in done.out
    assert "the cache pays" in done.out


@pytest.mark.parametrize(
    ("option", "value", "name"),
    [
        ("--method", "kd", "method"),
        ("--set", "kd.temperature=2", "set"),
        ("--epochs", 3, "epochs"),
        ("--batch-size", 8, "batch_size"),
        ("--student-image-size", 8, "student_image_size"),
    ],
)
def test_what_only_a_student_has_is_refused_without_one(call: Call, data: str, option: str, value: object, name: str):
    error = call("estimate", "--teacher", TINY, "--data", data, option, value, "--json").error
    assert error["kind"] == "input"
    assert error["message"] == f"{name} is the student's, and none was given"


def test_errors_are_those_of_embed(call: Call, data: str, tmp_path: Path):
    error = call("estimate", "--teacher", "no-such", "--data", data, "--json").error
    assert error == call("embed", "--teacher", "no-such", "--data", data, "--store", tmp_path / "s", "--json").error
    told = call("estimate", "--teacher", TINY, "--data", data, "--student", TINY, "--method", "ce", "--json").error
    assert told["kind"] == "input"

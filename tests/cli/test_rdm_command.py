"""`teachonce rdm` on the command line: its object, its table, its errors; and what `inspect` then shows."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import teachonce
from teachonce.cache import open_store
from teachonce.options.make import typed
from teachonce.options.opt import options_of
from teachonce.options.rdm import RdmOptions
from tests.cli.conftest import Call
from tests.stages.rdmkit import make, memory_folder, snapshot

QUICK = ("--epochs", 2, "--batch-size", 32, "--val-fraction", 0.2, "--device", "cpu")


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    with memory_folder() as folder:
        yield make(folder / "s.zarr").path


def words(path: Path, weights: str, *more: object) -> list[object]:
    return ["rdm", "--store", path, "--distortion-weight", weights, *QUICK, *more]


def test_one_object_with_all_that_was_done(path: Path, call: Call):
    done = call(*words(path, "1e1,0.80", "--json"))
    assert done.code == 0, done.out
    told = done.json
    assert set(told) == {
        "store", "target", "rdms", "teacher_top1", "epochs", "rows", "val_rows", "seconds", "samples_per_s",
    }  # fmt: skip
    assert [entry["name"] for entry in told["rdms"]] == ["rdm-10", "rdm-0.8"]
    assert set(told["rdms"][0]) == {
        "name", "distortion_weight", "bits", "distortion", "top1", "best_epoch", "reused",
    }  # fmt: skip
    assert told["teacher_top1"] > 0.9
    assert "top-1" in done.err
    assert "bits" in done.err
    again = call(*words(path, "10,0.8", "--json"))
    assert [entry["reused"] for entry in again.json["rdms"]] == [True, True]
    assert "reused: " in again.err


def test_the_table(path: Path, call: Call):
    done = call(*words(path, "10,0.8"))
    assert done.code == 0
    lines = {line.split()[0]: line.split() for line in done.out.splitlines() if line}
    told = open_store(path).record("rdm-0.8").attributes
    assert lines["rdm-0.8"][1:3] == ["0.8", f"{told['bits']:.1f}"]
    assert lines["rdm-0.8"][-1] == "reused"
    assert "nothing was left to train" in done.out


def test_inspect_tells_what_an_rdm_is(path: Path, call: Call):
    call(*words(path, "10,0.8"))
    told = " ".join(call("inspect", path).out.split())
    told = told[told.index("target rdm-10") :]
    record = open_store(path).record("rdm-10")
    for text in (
        "kind rdm with its linear head",
        "bytes of weights",
        "made from target teacher",
        "distortion weight 10",
        "general, 16 units, 1,184 MACs",
        f"{record.attributes['bits']:.1f} bits a sample",
        f"best epoch {record.attributes['best_epoch']} of 2",
    ):
        assert text in told
    as_json = call("inspect", path, "--json").json["targets"]["rdm-10"]
    assert as_json["attributes"]["curve"][1]["epoch"] == 2
    assert as_json["weights_bytes"] == record.weights["bytes"]


@pytest.mark.parametrize(
    "options", [("--preset", "cnn"), ("--hidden", 8, "--activation", "gelu"), ("--select", "loss")]
)
def test_options_arrive(path: Path, call: Call, options: tuple[object, ...]):
    weight = {"--preset": "2", "--hidden": "3", "--select": "4"}[str(options[0])]
    done = call(*words(path, weight, *options, "--no-squared-temperature", "--dtype", "bfloat16", "--json"))
    assert done.code == 0, done.out
    record = open_store(path).record(f"rdm-{weight}")
    fields = record.fingerprint_fields
    for name, value in zip(options[::2], options[1::2], strict=True):
        assert fields["rdm"][str(name)[2:]] == value
    assert (fields["dtype"], fields["rdm"]["squared_temperature"]) == ("bfloat16", False)


def test_errors_are_lines_and_objects(path: Path, call: Call):
    call(*words(path, "10"))
    before = snapshot(path)
    assert call(*words(path, "-3", "--json")).error["kind"] == "input"
    assert call(*words(path, "5,5.0", "--json")).error["message"] == "the distortion weight 5 is given twice"
    assert call(*words(path.parent / "none.zarr", "5", "--json")).error["kind"] == "missing"
    assert call(*words(path, "5", "--target", "tutor", "--json")).error["kind"] == "missing"
    assert call(*words(path, "5", "--lr", "1e20", "--json")).error["kind"] == "nonfinite"
    changed = call(*words(path, "10", "--seed", 4, "--json")).error
    assert changed["kind"] == "mismatch"
    assert "rdm seed: expected 0, got 4" in changed["message"]
    assert snapshot(path) == before


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--distortion-weight", "1,x"], "--distortion-weight"),
        (["--distortion-weight", ""], "--distortion-weight"),
        (["--distortion-weight", "1", "--preset", "r18"], "--preset"),
        (["--distortion-weight", "1", "--milestones", "x"], "--milestones"),
        ([], "--distortion-weight"),
    ],
)
def test_usage(more: list[str], told: str, call: Call):
    done = call("rdm", "--store", "s.zarr", *more)
    assert done.code == 2
    assert told in done.err


def test_weights_are_read():
    assert typed(options_of(RdmOptions)["distortion_weight"], "1e4, 5000,0.8") == (10000.0, 5000.0, 0.8)


def test_the_api_is_there_and_light():
    assert "rdm" in teachonce.__all__
    code = "import sys, teachonce, teachonce.cli; sys.exit('torch' in sys.modules or 'zarr' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert teachonce.rdm.__module__ == "teachonce.stages.rdm"

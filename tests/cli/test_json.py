"""With --json every verb prints one object with the keys that scripts rely on."""

from pathlib import Path

import pytest

from tests.cli import made
from tests.cli.conftest import Call
from tests.cli.words import TINY, embed_words, train_words

TRAIN = {
    *("run", "method", "source", "epochs", "step_ms", "samples_per_s"),
    *("peak_memory_bytes", "host_memory_bytes", "val_top1"),
}


@pytest.fixture
def data(tmp_path: Path) -> str:
    return made.parquet(tmp_path / "data.parquet", made.pictures(), made.labels())


def test_the_whole_way(call: Call, tmp_path: Path, data: str):
    store, run = tmp_path / "s.zarr", tmp_path / "run"
    embedded = call(*embed_words(store, data)).json
    assert embedded.keys() >= {"rows", "failed", "reused_blocks", "seconds", "samples_per_s"}
    assert (embedded["rows"], embedded["failed"], embedded["reused_blocks"]) == (made.ROWS, 0, 0)
    inspected = call("inspect", store, "--json").json
    assert inspected.keys() >= {"format", "rows", "views", "block_rows", "bytes_per_sample", "targets"}
    target = inspected["targets"]["teacher"]
    assert target.keys() >= {"kind", "sealed", "fingerprint", "arrays"}
    assert target["arrays"]["logits"] == {"shape": [made.ROWS, 1, 3], "dtype": "float16"}
    trained = call(*train_words(run, data, "--method", "kd", "--store", store, "--set", "kd.temperature=2")).json
    assert trained.keys() >= TRAIN
    assert (trained["method"], trained["source"], trained["epochs"]) == ("kd", "cached", 1)
    assert trained["host_memory_bytes"] > 1e7
    tested = call("evaluate", "--run", run, "--student", TINY, "--data", data, "--workers", 0, "--json").json
    assert tested.keys() >= {"top1", "top5", "rows"}
    assert tested["rows"] == made.ROWS
    assert [entry["class"] for entry in tested["per_class"]] == list(made.NAMES)
    worth = call("evaluate", "--store", store, "--neighbours", 5, "--json").json
    assert worth.keys() >= {"knn_top1", "linear_top1", "rows"}
    exported = call("export", store, "--out", tmp_path / "s.h5", "--json").json
    assert Path(exported["out"]).is_file()


def test_the_same_without_json_is_tables(call: Call, tmp_path: Path, data: str):
    def lines(*words: object) -> str:
        done = call(*[word for word in words if word != "--json"])
        assert done.code == 0, done.err
        return done.out

    store, run = tmp_path / "s.zarr", tmp_path / "run"
    assert "90, of which 0 failed" in lines(*embed_words(store, data))
    assert "nothing was left to run" in lines(*embed_words(store, data))
    shown = lines("inspect", store)
    assert "90 in blocks of 64" in shown
    assert "image_embedding  90 x 1 x 6  float16" in shown
    assert "validation top-1" in lines(*train_words(run, data))
    assert "ant" in lines("evaluate", "--run", run, "--student", TINY, "--data", data, "--workers", 0)
    assert "nearest neighbours" in lines("evaluate", "--store", store, "--neighbours", 5)
    assert "s.h5" in lines("export", store, "--out", tmp_path / "s.h5")


def test_run(call: Call, tmp_path: Path, data: str):
    recipe = tmp_path / "r.toml"
    recipe.write_text(f'[data]\ntrain = "{data}"\n[[train]]\nstudent = "{TINY}"\nbatch_size = 32\n')
    (step,) = call("run", recipe, "--trust-remote-code", "--dry-run", "--json").json["steps"]
    assert step == {"name": "train ce-tiny-s0", "action": "run", "reason": "there is no such run yet", "result": None}
    shown = call("run", recipe, "--trust-remote-code", "--dry-run").out
    assert "train ce-tiny-s0  run     there is no such run yet" in shown


def test_recipe_errors_are_one_line(call: Call, tmp_path: Path):
    recipe = tmp_path / "r.toml"
    recipe.write_text('[data]\ntrian = "digits"\n[[train]]\nstudent = 3\nepoch = 1\n')
    error = call("run", recipe, "--json").error
    assert error["kind"] == "input"
    for told in (
        "[data] train is needed",
        "[data] trian is unknown, did you mean train?",
        "student: expected",
        "epoch ",
    ):
        assert told in error["message"]
    assert list(tmp_path.iterdir()) == [recipe]

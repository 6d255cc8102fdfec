"""`teachonce tune` as it is called: its tables, its object, Ctrl-C in real processes."""

import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cli import made
from tests.cli.conftest import Call
from tests.cli.test_interrupts import interrupt, started, wait_for
from tests.pipeline.tunekit import change, in_this_process, write_recipe

SLOW = """
[data]
train = "{data}"
[run]
workers = 0
device = "cpu"
threads = 1
[[train]]
student = ["tests.cli.made:slow", "tests.cli.made:tiny"]
epochs = 6
batch_size = 16
[tune]
trials = 2
min_epochs = 6
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Iterator[Path]:
    with in_this_process():
        yield write_recipe(tmp_path)


def test_what_is_printed(call: Call, recipe: Path):
    shown = call("tune", recipe, "--trust-remote-code", "--dry-run", "--trials", 2).out
    assert "train teacher  run" in shown
    assert "ce-tiny lr 1e-05 to 0.05, log 0.01 2" in " ".join(shown.split())
    done = call("tune", recipe, "--trust-remote-code", "--trials", 2)
    assert done.code == 0, done.err
    assert "ce-tiny trial 0 begins: lr 0.01" in done.err
    assert "tune: 4/4 trials" in done.err
    header, *rows = [line for line in done.out.splitlines() if "tiny" in line or "variant" in line]
    assert header.split()[:5] == ["variant", "trials", "pruned", "failed", "epochs"]
    assert [row.split()[:2] for row in rows] == [["ce-tiny", "2"], ["kd-tiny", "2"]]
    assert done.out.splitlines()[-1] == f"teachonce run {recipe.with_name('r-tuned.toml')}"
    told = call("tune", recipe, "--trust-remote-code", "--trials", 2, "--json").json
    assert told.keys() == {"metric", "trials", "steps", "variants", "best", "tuned"}
    assert told["variants"] == json.loads(Path(told["best"]).read_text())["variants"]
    assert (told["variants"][1]["name"], told["variants"][1]["trials"]) == ("kd-tiny", 2)


def test_errors_are_one_line(call: Call, recipe: Path):
    change(recipe, "low = 1e-5", "low = 1")
    there = set(recipe.parent.iterdir())
    error = call("tune", recipe, "--trust-remote-code", "--json").error
    assert error["kind"] == "input"
    assert "[tune.space] lr is empty: low 1 is not below high 0.05" in error["message"]
    assert set(recipe.parent.iterdir()) == there


def test_ctrl_c_ends_the_workers_and_the_same_command_goes_on(call: Call, tmp_path: Path):
    recipe = tmp_path / "r.toml"
    recipe.write_text(SLOW.format(data=made.parquet(tmp_path / "data.parquet", made.pictures(160), made.labels(160))))
    words: list[object] = ["tune", recipe, "--trust-remote-code", "--jobs", 2, "--json"]
    with started(words) as process:
        wait_for(process, lambda: any(path.read_text().count("\n") > 2 for path in tmp_path.rglob("metrics.jsonl")))
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 2
        interrupt(process)
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    begun = {path: path.read_text().splitlines(keepends=True) for path in tmp_path.rglob("metrics.jsonl")}
    with in_this_process():  # no new interpreters for what is left
        result = call("tune", recipe, "--trust-remote-code", "--json").json
    kept = {path: "".join(lines[:-1]) for path, lines in begun.items()}  # the last line may lack its checkpoint
    assert any(kept.values())
    assert all(path.read_text().startswith(text) for path, text in kept.items())
    assert [(variant["trials"], variant["done"]) for variant in result["variants"]] == [(2, 2), (2, 2)]
    epochs = [text.count("\n") for text in map(Path.read_text, tmp_path.rglob("trial-*/metrics.jsonl"))]
    assert epochs == [6] * 4

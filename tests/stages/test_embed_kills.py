"""A pass that is killed anywhere and called again leaves, byte for byte, the store of an undisturbed one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from teachonce.cache import open_store
from tests.stages.embed_kills import BLOCK, BLOCKS, KILLS
from tests.stages.embedding import snapshot

ROOT = Path(__file__).parents[2]
SIGKILL = -9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the killed program leaves."""
    place = tmp_path_factory.mktemp("kills")
    command = [sys.executable, "-m", "tests.stages.embed_kills", place]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True, timeout=280)
    return place


@pytest.fixture(scope="module")
def ends(folder: Path) -> dict[str, list[int]]:
    told: dict[str, list[int]] = json.loads((folder / "ends.json").read_text())
    assert told["undisturbed"] == [0]
    return told


@pytest.mark.parametrize("name", KILLS)
def test_killed_and_called_again(folder: Path, ends: dict[str, list[int]], name: str):
    assert ends[name] == [SIGKILL, 0]
    assert snapshot(folder / f"{name}.zarr") == snapshot(folder / "undisturbed.zarr")


def test_ctrl_c_ends_every_thread_and_goes_on(folder: Path, ends: dict[str, list[int]]):
    assert ends["ctrl-c"] == [0, 0]
    assert snapshot(folder / "ctrl-c.zarr") == snapshot(folder / "undisturbed.zarr")


@pytest.mark.parametrize(
    ("name", "reused"),
    [
        ("creating", [0]),
        ("inside-a-chunk", [BLOCK]),
        ("samples-without-target", [BLOCK]),
        ("between-chunk-and-record", [BLOCK]),
        ("between-two-blocks", [BLOCK + 1]),
        ("sealing-the-target", [BLOCKS]),
        ("sealed", [BLOCKS]),
        ("ctrl-c", range(BLOCK + 1, BLOCKS)),
    ],
)
def test_only_what_has_no_record_is_done_again(folder: Path, ends: dict[str, list[int]], name: str, reused: list[int]):
    assert json.loads((folder / f"{name}.json").read_text())["reused"] in reused


def test_the_store_is_sound(folder: Path, ends: dict[str, list[int]]):
    store = open_store(folder / "undisturbed.zarr")
    assert store.blocks == BLOCKS
    assert store.samples_sealed
    store.target("teacher").verify()


def test_runs_are_recorded_beside_the_store(folder: Path, ends: dict[str, list[int]]):
    lines = (folder / "ctrl-c.zarr.runs.jsonl").read_text().splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["interrupted", "sealed"]
    assert {"time", "host", "command", "versions", "batch_size"} <= set(json.loads(lines[0]))

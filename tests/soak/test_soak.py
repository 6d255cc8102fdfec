"""A part of every fault, by a fixed seed; `make soak` tries all of them, and others by SEED."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.soak.faults import FAULTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
SEED = 20


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("soak") / "soak.json"
    command = [sys.executable, "-m", "tests.soak", "--part", "--seed", str(SEED), "--jobs", "2", "--json", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert out.exists(), done.stderr[-2000:]
    told: dict[str, Any] = json.loads(out.read_text())
    assert done.returncode == int(any(fault["harms"] for fault in told["faults"].values()))
    return told["faults"]


@pytest.mark.parametrize("name", FAULTS)
def test_does_no_harm(results: dict[str, Any], name: str):
    assert results[name]["harms"] == []
    assert results[name]["tries"] == FAULTS[name].part
    assert sum(results[name]["outcomes"].values()) == FAULTS[name].part


def rows() -> dict[str, list[str]]:
    """The rows of the table by the fault that their command tries."""
    found = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if command := re.fullmatch(r"`make soak FAULTS=([a-z]+)(?: SEED=\d+)?`", cells[-1]):
            found[command[1]] = cells
    return found


def test_every_fault_has_a_row():
    assert rows().keys() == FAULTS.keys()


@pytest.mark.parametrize("name", FAULTS)
def test_the_page_says_what_was_tried(name: str):
    """The number in the second column is that of the results beside it, or `not run`."""
    tried = rows()[name][1]
    if tried == "not run":
        return
    results = json.loads((ROOT / "docs" / "results" / "soak_cpu_202611.json").read_text())
    told = results["faults"][name]
    assert int(tried.replace(",", "")) == told["tries"]
    assert told["harms"] == []


def test_make_soak_runs_it():
    words = ["make", "--dry-run", "soak", "SEED=7", "FAULTS=kills,flips", "SECONDS=60", "TRIES=3"]
    printed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "-m tests.soak --seed 7 --only kills,flips --tries 3 --seconds 60" in printed

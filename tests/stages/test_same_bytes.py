"""The same call gives the same bytes: in another process, after other calls, from every kind of attention."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.memory import memory_folder
from tests.stages.rdmkit import snapshot
from tests.stages.same_bytes import TEACHERS, THREADS
from tests.stages.test_train_killed import contents, metrics


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """What the program leaves."""
    script = Path(__file__).with_name("same_bytes.py")
    home = str(script.parents[2])
    with memory_folder() as folder:
        environment = os.environ | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive", "PYTHONPATH": home}
        command = [sys.executable, script, folder]
        done = subprocess.run(command, capture_output=True, env=environment, cwd=home, check=False, timeout=280)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        assert json.loads(done.stdout) == [0] * 5, done.stderr.decode()[-2000:]
        yield folder


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("store", [*TEACHERS, "rdm"])
def test_a_store(root: Path, store: str, threads: int):
    first, second = (snapshot(root / f"{order}-{threads}" / f"{store}.zarr") for order in ("first", "second"))
    assert len(first) > 40
    assert [file for file in {*first, *second} if first.get(file) != second.get(file)] == []


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("source", ["cached", "live"])
def test_a_run(root: Path, source: str, threads: int):
    first, second = (root / f"{order}-{threads}" / source for order in ("first", "second"))
    assert contents(first) == contents(second)
    assert metrics(first) == metrics(second)

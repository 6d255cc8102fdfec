"""RDMs whose training or writing is killed with SIGKILL at any moment, then called again, end in the same bytes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from teachonce.cache import open_store
from tests.memory import memory_folder
from tests.stages.rdmkit import snapshot


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with memory_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def told(root: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("rdm_killer.py")
    home = str(script.parents[2])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": home}
    done = subprocess.run([sys.executable, script, root], capture_output=True, env=environment, cwd=home, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


def test_the_undisturbed_store_is_whole(root: Path, told: dict[str, Any]):
    assert told["counts"]["step"] == 3 * (254 // 32)
    assert open_store(root / "undisturbed/s.zarr").verify() == ["rdm-1", "rdm-10", "teacher"]


def test_nearly_every_moment_did_kill(told: dict[str, Any]):
    """The kinds that are counted in another order, by threads, may end before the number is reached."""
    ends = [end for ends, _ in told["statuses"].values() for end in ends]
    assert set(ends) <= {0, -signal.SIGKILL}
    assert ends.count(-signal.SIGKILL) >= 0.95 * len(ends)


def test_the_same_call_ends_in_the_same_bytes(root: Path, told: dict[str, Any]):
    expected = snapshot(root / "undisturbed")
    others = {name: last for name, (_, last) in told["statuses"].items() if last != 0}
    assert not others
    for name in told["statuses"]:
        found = snapshot(root / name)
        differ = [file for file in {*expected, *found} if expected.get(file) != found.get(file)]
        assert not differ, name

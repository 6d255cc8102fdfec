"""A writer that is killed by SIGKILL and run again leaves the store of a writer that was not, byte for byte."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.memory import memory_folder

# kind -> operations, and what their files look like, so that each kind kills where it says
KINDS = {
    "beginning": ("write rename sync", r""),
    "inside a chunk": ("write", r"(samples|views|targets)/.*/c/\d+(/\d/0)?"),
    "between chunks": ("rename", r"(samples|views|targets)/.*/c/\d+(/\d/0)?"),
    "between chunk and record": ("write", r"journal/(samples|teacher)/\d{6}\.json"),
    "between blocks": ("sync", r"journal/(samples|teacher)"),
    "sealing": ("write rename sync", r"(\.|journal/teacher|(samples|classes|targets)(/.*)?)"),
    "several times": ("write rename sync", r".*"),
}


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    script = Path(__file__).with_name("killer.py")
    with memory_folder() as folder:
        command = [sys.executable, str(script), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_run_again_is_the_undisturbed_store(kind: str, results: dict[str, Any]):
    operations, file = KINDS[kind]
    assert len(results[kind]) >= 8
    for points, (operation, path), killed, equal in results[kind]:
        assert operation in operations.split()
        assert kind == "beginning" or re.fullmatch(file, path)
        assert killed[0], (points, path)
        assert equal, (points, operation, path)
    if kind == "sealing":
        assert {"samples/zarr.json", "classes/teacher/mean/c/0/0", "targets/teacher/zarr.json"} <= {
            r[1][1] for r in results[kind]
        }

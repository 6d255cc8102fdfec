"""A writer that is killed by SIGKILL and run again leaves the store of a writer that was not, byte for byte."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("kind", KINDS)
def test_killed_and_run_again_is_the_undisturbed_store(kind: str, tmp_path: Path):
    script = Path(__file__).with_name("killer.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path), kind], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    operations, file = KINDS[kind]
    assert len(results) >= 8
    for points, (operation, path), killed, equal in results:
        assert operation in operations.split()
        assert kind == "beginning" or re.fullmatch(file, path)
        assert killed[0], (points, path)
        assert equal, (points, operation, path)
    if kind == "sealing":
        assert {"samples/zarr.json", "classes/teacher/mean/c/0/0", "targets/teacher/zarr.json"} <= {
            r[1][1] for r in results
        }

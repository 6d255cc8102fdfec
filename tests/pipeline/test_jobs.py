"""`teachonce run` with several jobs, in real processes: a SIGTERM, as a batch system sends it, ends every child."""

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from tests.cli import made

PATIENCE = 120.0  # seconds
RECIPE = """
[data]
train = "{data}"
[run]
workers = 0
device = "cpu"
jobs = 2
[[train]]
student = "tests.cli.made:slow"
seed = [0, 1, 2]
epochs = {epochs}
"""


def start(recipe: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "teachonce", "run", str(recipe), "--trust-remote-code", "--json"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_an_end_reaches_every_child(tmp_path: Path):
    data = made.parquet(tmp_path / "data.parquet", made.pictures(640), made.labels(640))
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE.format(data=data, epochs=300))
    begun = [tmp_path / "r-runs" / f"ce-slow-s{seed}" / "metrics.jsonl" for seed in (0, 1)]
    with start(recipe) as process:
        end = time.monotonic() + PATIENCE
        while not all(path.exists() for path in begun):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            threading.Event().wait(0.05)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len([child for child in children if not child.children()]) == 2  # those at work; what forks them has two
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM, err.decode()
    assert json.loads(out)["error"]["kind"] == "interrupted"
    assert b"Traceback" not in err
    assert not [child for child in children if child.is_running()]
    assert not (tmp_path / "r-runs" / "ce-slow-s2").exists()

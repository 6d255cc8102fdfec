"""A training that is killed with SIGKILL at any moment, then run again, ends in the same bytes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.enginekit import digits, make_store
from tests.stages.train_killer import MOMENTS, ROWS

NAMES = [f"{kind}-{number}" for kind, number in MOMENTS]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("killed")
    make_store(path / "s.zarr", samples=digits(ROWS), views=2)
    return path


@pytest.fixture(scope="module")
def statuses(root: Path) -> dict[str, list[int]]:
    script = Path(__file__).with_name("train_killer.py")
    home = str(script.parents[2])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": home}
    done = subprocess.run([sys.executable, script, root], capture_output=True, env=environment, cwd=home, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


def contents(run: Path) -> dict[str, bytes]:
    """Every file of a run but those that hold times."""
    timed = ("metrics.jsonl", "result.json")
    files = (path for path in sorted(run.rglob("*")) if path.is_file() and "tensorboard" not in path.parts)
    return {str(path.relative_to(run)): path.read_bytes() for path in files if path.name not in timed}


def metrics(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "samples_per_s", "step_ms")} for line in lines]


@pytest.mark.usefixtures("statuses")
def test_the_undisturbed_run_is_whole(root: Path):
    assert [line["epoch"] for line in metrics(root / "undisturbed")] == [1, 2, 3]
    assert {"run.json", "best/model.safetensors", "checkpoints/last/model.safetensors"} <= contents(
        root / "undisturbed"
    ).keys()


def test_most_moments_did_kill(statuses: dict[str, list[int]]):
    """All but those that lie after the end: otherwise nothing was tried."""
    killed = [name for name in NAMES if statuses[name][0] == -signal.SIGKILL]
    assert all(statuses[name][0] in (0, -signal.SIGKILL) for name in NAMES)
    assert len(killed) >= 0.9 * len(NAMES), set(NAMES) - set(killed)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_call_ends_in_the_same_bytes(root: Path, statuses: dict[str, list[int]], name: str):
    assert statuses[name][1] == 0
    assert contents(root / name) == contents(root / "undisturbed")
    assert metrics(root / name) == metrics(root / "undisturbed")

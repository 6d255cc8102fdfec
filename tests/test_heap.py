"""What a process frees it keeps, so that the next step does not fault it in again; unless the user has chosen."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from teachonce.benchmarks.live.arm import Arm
from teachonce.pipeline.tune.workers import Worker
from teachonce.processes.process import Process
from tests.benchmarks.livekit import spec
from tests.cli.words import TINY, train_words
from tests.heapkit import BLOCK

LIBRARY, VERSION = platform.libc_ver()
pytestmark = pytest.mark.skipif(
    LIBRARY != "glibc" or tuple(map(int, VERSION.split("."))) < (2, 35),
    reason="only glibc is told what to keep, and an older one keeps smaller blocks",
)
MOST, FEW = 0.9 * BLOCK, 0.1 * BLOCK
OVER = (1 << 30) + BLOCK  # beyond what is kept
PROGRAM = "from teachonce.heap import *; from tests.heapkit import *; "
STUDENT = "tests.heapkit:noting"


@pytest.fixture(autouse=True)
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a student notes what it sees; and nobody has chosen anything."""
    for name in [name for name in os.environ if name.startswith("MALLOC_")] + ["GLIBC_TUNABLES"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NOTED", str(tmp_path / "noted"))
    return tmp_path / "noted"


def told(statements: str, environment: Mapping[str, str] | None = None) -> list[int]:
    """What a program of its own prints: what a process was told to keep cannot be taken back."""
    command = [sys.executable, "-c", PROGRAM + statements]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **(environment or {})}
    )
    return [int(word) for word in done.stdout.split()]


def test_what_was_freed_stays():
    kept, keeps, returned = told("print(+keep_freed(), +keeps_freed(), returned_bytes())")
    assert (kept, keeps) == (1, 1)
    assert returned < FEW


def test_without_it_goes_back():
    """Else the test above proves nothing."""
    keeps, returned = told("print(+keeps_freed(), returned_bytes())")
    assert keeps == 0
    assert returned > MOST


def test_what_is_very_large_goes_back_at_once():
    _, returned = told(f"print(+keep_freed(), returned_bytes({OVER}))")
    assert returned > 0.9 * OVER


def test_what_is_free_can_be_given_back():
    _, kept, after = told("keep_freed(); print(returned_bytes(), resident()); give_back(); print(resident())")
    assert kept - after > MOST


@pytest.mark.parametrize(
    "chosen",
    [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"}],
    ids=lambda chosen: next(iter(chosen)),
)
def test_what_the_user_has_chosen_stays(chosen: Mapping[str, str]):
    kept, keeps, returned = told("print(+keep_freed(), +keeps_freed(), returned_bytes())", chosen)
    assert (kept, keeps) == (0, 0)
    assert returned > MOST


def test_what_is_kept_counts_as_available():
    before, after = told(
        "from teachonce.data.memory import available_memory; "
        f"keep_freed(); returned_bytes({OVER // 2}); before = resident(); available_memory(); print(before, resident())"
    )
    assert before - after > 0.4 * OVER


def test_a_command_keeps(noted: Path, tmp_path: Path):
    words = [STUDENT if word == TINY else word for word in train_words(tmp_path / "run", "digits", "--limit", 64)]
    subprocess.run([sys.executable, "-m", "teachonce", *map(str, words)], check=True, capture_output=True)
    assert int(noted.read_text()) < FEW


def test_an_arm_of_a_benchmark_keeps(noted: Path):
    with Arm(spec("student-only", None, student=STUDENT)) as arm:
        assert arm.ready().keeps_freed
    assert int(noted.read_text()) < FEW


def test_every_process_that_we_start_keeps():
    with Process("tests.heapkit:returned", name="the test") as process:
        assert process.ask() < FEW


def test_a_search_keeps(noted: Path, tmp_path: Path):
    options = {"data": "digits", "limit": 64, "student": STUDENT, "out": str(tmp_path / "run"), "epochs": 1}
    options |= {"batch_size": 16, "workers": 0, "device": "cpu", "method": "ce"}
    with closing(Worker(tmp_path / "w.log", {})) as worker:
        assert worker.train(options, lambda entry: False, print)["end"] == "done"
    assert int(noted.read_text()) < FEW

"""Ctrl-C in a real process, then the same command goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

import teachonce.cli
from teachonce.__main__ import main
from teachonce.console.errors import AFRESH, describe_error
from tests.cli import made
from tests.cli.conftest import Call
from tests.cli.words import embed_words, snapshot, train_words

PATIENCE = 120.0  # seconds


@contextmanager
def started(words: Sequence[object]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "teachonce", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[bytes], there: Callable[[], bool]) -> None:
    """Wait until something is there while the process runs."""
    end = time.monotonic() + PATIENCE
    while not there():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)


def interrupt(process: subprocess.Popen[bytes], *, starts_over: bool = False) -> None:
    """Ctrl-C, which all of a terminal's foreground hear, must end it as a shell expects, without a traceback."""
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGINT, err.decode()
    expected = describe_error(KeyboardInterrupt(AFRESH) if starts_over else KeyboardInterrupt())
    assert json.loads(out) == {"error": expected}
    assert b"Traceback" not in err, err.decode()


@pytest.fixture
def data(tmp_path: Path) -> str:
    rows = 640
    return made.parquet(tmp_path / "data.parquet", made.pictures(rows), made.labels(rows))


@pytest.mark.parametrize("workers", [0, 2])
def test_embed(call: Call, tmp_path: Path, data: str, workers: int):
    slow = ("--teacher", "tests.cli.made:slow", "--workers", workers)
    assert call(*embed_words(tmp_path / "whole.zarr", data, *slow)).code == 0
    path = tmp_path / "s.zarr"
    with started(embed_words(path, data, *slow)) as process:
        wait_for(process, lambda: len(list((path / "journal" / "teacher").glob("0*.json"))) >= 2)
        interrupt(process)
    inspected = call("inspect", path, "--json").json["targets"]["teacher"]
    assert not inspected["sealed"]
    done = call(*embed_words(path, data, *slow))
    assert done.code == 0, done.out
    assert 2 <= done.json["reused_blocks"] < 10
    assert snapshot(path) == snapshot(tmp_path / "whole.zarr")


def test_train(call: Call, tmp_path: Path, data: str):
    long = ("--epochs", 5, "--student", "tests.cli.made:slow")
    words = [*train_words(tmp_path / "run", data), *long]
    with started(words) as process:
        wait_for(process, lambda: (tmp_path / "run" / "metrics.jsonl").exists())
        interrupt(process)
    assert not (tmp_path / "run" / "result.json").exists()
    assert call(*words).code == 0
    assert call(*train_words(tmp_path / "whole", data), *long).code == 0
    ours, theirs = (path / "best" / "model.safetensors" for path in (tmp_path / "run", tmp_path / "whole"))
    assert ours.read_bytes() == theirs.read_bytes()


RECIPE = """
[data]
train = "{data}"
[run]
workers = 0
device = "cpu"
[[train]]
student = "tests.cli.made:slow"
epochs = 5
"""


def test_run_ends_its_child_and_goes_on(tmp_path: Path, data: str):
    recipe = tmp_path / "r.toml"
    recipe.write_text(RECIPE.format(data=data))
    with started(["run", recipe, "--trust-remote-code", "--json"]) as process:
        wait_for(process, lambda: (tmp_path / "r-runs" / "ce-slow-s0" / "metrics.jsonl").exists())
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        interrupt(process)
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    with started(["run", recipe, "--trust-remote-code", "--json"]) as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err.decode()
    (step,) = json.loads(out)["steps"]
    assert (step["name"], step["action"]) == ("train ce-slow-s0", "run")
    assert "resumes" in step["reason"]
    assert step["result"]["epochs"] == 5


@pytest.mark.parametrize(
    ("words", "starts_over"),
    [
        (("rdm", "--store", "none.zarr", "--distortion-weight", 1), False),
        (("tune", "quickstart"), False),
        (("report", "runs", "--out", "r.html"), True),
        (("bench", "live", "--preset", "clip-embed-kd"), True),
    ],
)
def test_while_libraries_are_imported(tmp_path: Path, words: tuple[object, ...], starts_over: bool):
    with started([*words, "--json"]) as process:
        maps = Path(f"/proc/{process.pid}/maps")
        wait_for(process, lambda: "libtorch_python" in maps.read_text() or "libscipy" in maps.read_text())
        interrupt(process, starts_over=starts_over)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ImportError])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_the_command_line_is_there(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: type[BaseException],
    number: signal.Signals,
):
    def importing() -> None:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        raise error  # C code may make another one of it

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(teachonce.cli, "main", importing)
    monkeypatch.setattr(sys, "argv", ["teachonce", "embed"])
    try:
        with pytest.raises(SystemExit) as caught:
            main()
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.value.code == 128 + number
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"]

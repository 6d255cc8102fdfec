"""What was measured says in its JSON where it comes from, and a report knows it by that."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import bench
import pytest
import torch

import teachonce
from teachonce.benchmarks.origin import command_line, origin
from teachonce.reports.gather import read_bench

BRIEFLY = ("--rounds", "1", "--device", "cpu")
COMMANDS = {
    "bench-embed": ("embed", "cnn-2", "digits", "--limit", "32", "--batch-size", "16", "--workers", "0", *BRIEFLY),
    "bench-rdm": ("rdm", "cnn-2", "--batch-size", "8", "--hidden", "8", *BRIEFLY),
    "bench-macs": ("macs", "--preset", "cifd-cnn", "--assistants", "cnn-6", "--assistants", "cnn-4"),
}


def printed(words: Sequence[str], patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[str, object]:
    """What the script prints on stdout, and what it exits with."""
    patch.setattr(sys, "argv", ["/somewhere/scripts/bench.py", *words])
    patch.setattr(teachonce, "keep_freed", lambda: None)  # it is of the whole process
    with pytest.raises(SystemExit) as left:
        bench.main()
    return capsys.readouterr().out, left.value.code


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_part_is_known_by_its_json(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "part.json"
    text, code = printed(COMMANDS[kind], monkeypatch, capsys)
    assert code == 0
    path.write_text(text)
    bench = read_bench(path)
    assert bench.result.kind == f"teachonce.{kind}"
    command = " ".join(["python bench.py", *COMMANDS[kind]])
    assert bench.result.command == command
    assert bench.result.versions["torch"] == version("torch")
    assert bench.result.machine.cores >= 1
    teachonce.report([path], out=tmp_path / "report.md")
    assert command in (tmp_path / "report.md").read_text()


def test_an_error_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    text, code = printed(["macs", "--rows", "0"], monkeypatch, capsys)
    assert text == ""
    assert str(code).startswith("error: rows must be at least 1, got 0")
    assert printed(["loss", "cnn-2"], monkeypatch, capsys) == ("", 2)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["/x/teachonce", "embed", "--store", "a b.zarr"], "teachonce embed --store 'a b.zarr'"),
        (["/x/teachonce/__main__.py", "embed"], "teachonce embed"),
        (["/home/me/train.py", "--fast"], "python train.py --fast"),
        (["-c"], "python -c"),
        ([""], "python"),
        (["/x/mine/__main__.py", "--fast"], "python __main__.py --fast"),
    ],
)
def test_the_command_line_that_is_running(argv: list[str], told: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", argv)
    assert command_line() == told
    assert origin("it", torch.device("cpu")).command == told

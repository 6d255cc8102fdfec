"""What was measured says in its JSON where it comes from, and a report knows it by that."""

import sys
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import teachonce
from teachonce.benchmarks.origin import Origin, command_line, origin
from teachonce.cli import app
from teachonce.reports.gather import read_bench
from teachonce.texts import ORIGIN

BRIEFLY = ("--rounds", "1", "--device", "cpu", "--json")
DIGITS = ("--teacher", "cnn-2", "--data", "digits", "--limit", "32", "--batch-size", "16", "--workers", "0")
COMMANDS = {
    "bench-step": ("bench", "step", *DIGITS, "--student", "cnn-2"),
    "bench-embed": ("bench", "embed", *DIGITS),
    "bench-rdm": ("bench", "rdm", "--teacher", "cnn-2", "--batch-size", "8", "--hidden", "8"),
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_part_is_known_by_its_json(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    words = [*COMMANDS[kind], *BRIEFLY]
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/teachonce", *words])
    done = CliRunner().invoke(app, words, prog_name="teachonce")
    assert done.exit_code == 0, done.stderr
    path = tmp_path / "part.json"
    path.write_text(done.stdout)
    bench = read_bench(path)
    assert bench.kind == kind
    assert bench.result["command"] == " ".join(["teachonce", *words])
    assert bench.result["versions"]["torch"] == version("torch")
    assert bench.result["machine"]["cores"] >= 1
    teachonce.report([path], out=tmp_path / "report.md")
    assert bench.result["command"] in (tmp_path / "report.md").read_text()
    assert "versions" not in CliRunner().invoke(app, [*words[:-1]], prog_name="teachonce").stdout


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
    assert origin(torch.device("cpu"))["command"] == told


def test_people_are_not_shown_it_beside_the_numbers():
    assert {field.name for field in fields(Origin)} == ORIGIN

"""A run and a store, made once."""

import shutil
from pathlib import Path

import pytest

from teachonce.stages.embed import embed
from tests.stages.trainkit import quick

DATA = ("--data", "digits", "--limit", "60")
HERE = ("--device", "cpu", "--workers", "0")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, `run`, and the store of its student, `s.zarr`."""
    home = tmp_path_factory.mktemp("made")
    quick(home / "run", limit=60, epochs=1, batch_size=16)
    embed(teacher=home / "run", data="digits", limit=60, store=home / "s.zarr", block_rows=32, device="cpu", workers=0)
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that may be damaged; the working folder."""
    home = tmp_path / "home"
    shutil.copytree(made, home)
    monkeypatch.chdir(home)
    monkeypatch.syspath_prepend(home)  # where it is for `python` itself
    return home

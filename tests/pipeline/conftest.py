"""Recipes whose steps run in the test's own process, which is faster than one each."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from teachonce.cli import app
from tests.cli import made

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """Writes a recipe beside training and test pictures; its steps will run here."""
    made.parquet(tmp_path / "train.parquet", made.pictures(), made.labels())
    made.parquet(tmp_path / "test.parquet", made.pictures(30, seed=1), made.labels(30))

    def here(words: Sequence[str], step: str) -> Any:
        done = CliRunner().invoke(app, [*words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def write(text: str) -> Path:
        path = tmp_path / "r.toml"
        path.write_text(text)
        return path

    monkeypatch.setattr("teachonce.pipeline.execute.run_child", here)
    return write

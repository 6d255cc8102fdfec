"""Recipes whose steps run in the test's own process, which is faster than one each."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli import made
from tests.pipeline.made import here

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """Writes a recipe beside training and test pictures; its steps will run here."""
    made.parquet(tmp_path / "train.parquet", made.pictures(), made.labels())
    made.parquet(tmp_path / "test.parquet", made.pictures(30, seed=1), made.labels(30))

    def write(text: str) -> Path:
        path = tmp_path / "r.toml"
        path.write_text(text)
        return path

    monkeypatch.setattr("teachonce.pipeline.execute.in_process", here)
    return write

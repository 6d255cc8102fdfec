"""What tests of `bench live` share."""

import pytest

from teachonce.benchmarks.live import sweep
from tests.benchmarks.livebench import Bench
from tests.cli.conftest import call

__all__ = ["bench", "call"]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench()
    monkeypatch.setattr(sweep, "measure_stage_one", made.stage)
    monkeypatch.setattr(sweep, "conduct", made.conduct)
    return made

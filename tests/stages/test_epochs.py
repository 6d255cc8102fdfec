"""Whoever watches a training hears of every epoch that is kept, and may end it there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from teachonce.engine.metrics import read_metrics
from teachonce.events import Silent
from teachonce.records import to_json
from tests.stages.trainkit import quick


class Enough(Exception):
    """The audience leaves."""


class Audience(Silent):
    def __init__(self, run: Path, leave_after: int | None = None) -> None:
        self.run, self.leave_after = run, leave_after
        self.heard: list[Mapping[str, Any]] = []

    def epoch(self, entry: Mapping[str, Any]) -> None:
        assert (self.run / "checkpoints" / "last" / "state.json").exists()
        self.heard.append(entry)
        if entry["epoch"] == self.leave_after:
            raise Enough


def test_a_training_that_is_ended_after_an_epoch_goes_on_to_the_same_weights(tmp_path: Path):
    first = Audience(tmp_path / "a", leave_after=1)
    with pytest.raises(Enough):
        quick(tmp_path / "a", events=first)
    assert not (tmp_path / "a" / "result.json").exists()
    second = Audience(tmp_path / "a")
    quick(tmp_path / "a", events=second)
    assert [[entry["epoch"] for entry in audience.heard] for audience in (first, second)] == [[1], [2]]
    assert [*first.heard, *second.heard] == [to_json(line) for line in read_metrics(tmp_path / "a")]
    quick(tmp_path / "b")
    ours, theirs = (tmp_path / run / "best" / "model.safetensors" for run in "ab")
    assert ours.read_bytes() == theirs.read_bytes()

"""metrics.jsonl: one line an epoch, none twice after a resume."""

import errno
import json
import threading
from contextlib import nullcontext

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from teachonce.engine.metrics import MetricsLog, read_metrics
from teachonce.engine.records import Epoch
from teachonce.errors import DiskError
from teachonce.records import to_json
from tests.soak.disk import Failing
from tests.soak.files import watched


def log(run, done, epochs):
    metrics = MetricsLog(Epoch, run, done)
    for epoch in epochs:
        metrics.append(Epoch(epoch=epoch, losses={"loss": 1.0 / epoch}))
    metrics.close()
    return metrics


def test_lines_after_a_resume(tmp_path):
    log(tmp_path, 0, [1, 2, 3])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "lo')  # killed in the middle of a line
    resumed = log(tmp_path, 2, [3, 4])
    assert [entry.epoch for entry in read_metrics(tmp_path)] == [1, 2, 3, 4]
    assert resumed.entries == read_metrics(tmp_path)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) == to_json(resumed.entries[0])


def test_tensorboard_shows_every_epoch_once(tmp_path):
    log(tmp_path, 0, [1, 2, 3])
    log(tmp_path, 2, [3, 4])
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert events.Tags()["scalars"] == ["loss"]
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [
        (epoch, pytest.approx(1 / epoch)) for epoch in (1, 2, 3, 4)
    ]


def test_a_full_disk_says_one_line_and_no_thread_dies(tmp_path, monkeypatch):
    """Whatever file it is at: what was logged before can be read, and the epoch be logged again."""
    uncaught = []
    monkeypatch.setattr(threading, "excepthook", uncaught.append)
    for number in range(1, 6):
        run = tmp_path / str(number)
        log(run, 0, [1])
        metrics = MetricsLog(Epoch, run, 1)
        with watched(run, Failing(number, errno.ENOSPC, lasting=False)):
            with pytest.raises(DiskError) if number <= 3 else nullcontext():
                metrics.append(Epoch(epoch=2, losses={"loss": 0.5}))
            metrics.close()
        assert not uncaught
        log(run, 1, [2, 3])
        assert [entry.epoch for entry in read_metrics(run)] == [1, 2, 3]


def test_nothing_logged_yet(tmp_path):
    assert read_metrics(tmp_path) == []

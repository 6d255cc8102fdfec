"""metrics.jsonl: one line an epoch, none twice after a resume."""

import json

from teachonce.engine.metrics import MetricsLog, read_metrics


def log(run, done, epochs):
    metrics = MetricsLog(run, done)
    for epoch in epochs:
        metrics.append({"epoch": epoch, "loss": 1.0 / epoch, "val_top1": None})
    metrics.close()
    return metrics


def test_lines_after_a_resume(tmp_path):
    log(tmp_path, 0, [1, 2, 3])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4, "lo')  # killed in the middle of a line
    resumed = log(tmp_path, 2, [3, 4])
    assert [entry["epoch"] for entry in read_metrics(tmp_path)] == [1, 2, 3, 4]
    assert resumed.entries == read_metrics(tmp_path)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) == {"epoch": 1, "loss": 1.0, "val_top1": None}


def test_tensorboard_files_are_there(tmp_path):
    log(tmp_path, 0, [1])
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


def test_nothing_logged_yet(tmp_path):
    assert read_metrics(tmp_path) == []

"""Nearest neighbours and the linear probe."""

import numpy as np
import pytest
import torch

from teachonce.engine.worth import linear_top1, neighbour_top1


def clusters(rows: int, seed: int, longest: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Three directions, of different lengths."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    points = np.eye(3)[labels] * rng.uniform(1.0, longest, (rows, 1)) + rng.normal(0, 0.01, (rows, 3))
    return points.astype(np.float32), labels


def knn(neighbours: int, *, spoilt: int = 0) -> float:
    (train, labels), (test, truth) = clusters(90, 0, 50.0), clusters(30, 1, 50.0)
    labels[:spoilt] = 0
    parts = [torch.from_numpy(part) for part in (train, labels, test, truth)]
    return neighbour_top1(*parts, neighbours=neighbours, classes=3)


@pytest.mark.parametrize("neighbours", [1, 20, 1000])
def test_clear_clusters(neighbours: int):
    assert knn(neighbours) == 1.0


def test_votes_are_weighed_by_closeness():
    """All rows vote, most of them for class 0, but the close ones count more."""
    assert knn(90, spoilt=40) == 1.0


def test_linear_probe():
    (train, labels), (test, truth) = clusters(90, 0), clusters(30, 1)
    assert linear_top1(train, labels, test, truth) == 1.0


def test_one_class_only():
    points = np.ones((4, 2), np.float32)
    assert linear_top1(points, np.zeros(4, np.int64), points, np.array([0, 0, 1, 0])) == 0.75


def test_a_large_set_is_thinned(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("teachonce.engine.worth.PROBE_ROWS", 30)
    (train, labels), (test, truth) = clusters(90, 0), clusters(30, 1)
    assert linear_top1(train, labels, test, truth) > 0.9

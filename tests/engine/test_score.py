"""Accuracy and loss."""

import math
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from teachonce.engine.feed import Batch
from teachonce.engine.score import score
from teachonce.engine.targets import BatchRows


class Given(nn.Module):
    """Answers with its input as the logits."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def outputs(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        assert not self.training
        return {"logits": inputs["image"]}


def batch(logits: list[list[float]], labels: list[int]) -> Batch:
    rows = np.arange(len(labels))
    return Batch(
        BatchRows(rows, torch.from_numpy(rows)), {"image": torch.tensor(logits), "label": torch.tensor(labels)}, None
    )


def test_by_hand():
    student: Any = Given(6)
    ramp = [float(value) for value in range(6)]
    scores = score(student, [batch([ramp, ramp], [5, 0]), batch([[0.0] * 5 + [9.0]], [5])], nullcontext)
    assert scores.rows == 3
    assert scores.top1 == pytest.approx(2 / 3)
    assert scores.top5 == pytest.approx(2 / 3)
    assert scores.class_rows == [1, 0, 0, 0, 0, 2]
    assert scores.class_top1 == [0.0, None, None, None, None, 1.0]
    total = math.log(sum(math.exp(value) for value in ramp))
    expected = (total - 5 + total - 0 + math.log(5 + math.exp(9)) - 9) / 3
    assert scores.loss == pytest.approx(expected, rel=1e-6)
    assert student.training


def test_fewer_than_five_classes():
    student: Any = Given(3)
    assert score(student, [batch([[1.0, 0.0, 0.0]], [2])], nullcontext).top5 == 1.0

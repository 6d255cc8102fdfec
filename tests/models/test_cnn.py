"""The CNNs of CIFD's Table 8 against the table itself."""

import pytest
import torch
from torch import nn

from teachonce.errors import ModelError
from teachonce.models import build_student
from teachonce.models.cnn import Cnn
from teachonce.models.macs import count_macs
from tests.alike import assert_alike

TABLE = {10: 72.239, 8: 52.861, 6: 40.756, 4: 25.552, 2: 3.794}


@pytest.mark.parametrize(("depth", "expected"), TABLE.items())
def test_multiply_accumulates_are_those_of_the_table(depth: int, expected: float):
    student = Cnn(depth, classes=100)
    assert round(count_macs(student, student.input) / 1e6, 3) == expected


@pytest.mark.parametrize("depth", TABLE)
def test_layers(depth: int):
    student = Cnn(depth, classes=100)
    convolutions = [layer for layer in student.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convolutions) == depth
    assert {(c.kernel_size, c.stride, c.padding) for c in convolutions} == {((3, 3), (1, 1), (1, 1))}
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in student.modules())


@pytest.mark.parametrize(("depth", "width"), [(10, 512), (8, 64), (6, 256), (4, 256), (2, 256)])
def test_the_embedding_is_the_hidden_layer_after_relu(depth: int, width: int):
    student = build_student(f"cnn-{depth}", classes=7)
    embedding, logits = student(torch.randn(2, 3, 32, 32))
    assert embedding.shape == (2, student.embedding_dim) == (2, width)
    assert logits.shape == (2, 7)
    assert embedding.min() >= 0
    assert_alike(logits, student.head(embedding))


@pytest.mark.parametrize("size", [16, 40, 33])
def test_other_image_sizes(size: int):
    student = build_student("cnn-4", classes=3, image_size=size)
    assert student(torch.zeros(1, 3, size, size))[1].shape == (1, 3)


def test_images_that_are_pooled_away():
    with pytest.raises(ModelError, match="cnn-10 pools images of 8 px away"):
        build_student("cnn-10", classes=3, image_size=8)


def test_unknown_depth():
    with pytest.raises(ModelError, match="no CNN of 3 layers") as caught:
        build_student("cnn-3", classes=3)
    assert "cnn-10" in caught.value.mend

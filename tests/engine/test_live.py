"""Targets from the teacher itself."""

import dataclasses

import numpy as np
import pytest
import torch

from teachonce.engine.live import LiveTargets, live_class_means
from teachonce.engine.targets import BatchRows
from teachonce.errors import InputError
from teachonce.methods.targets import Needs
from tests.alike import assert_alike
from tests.engine.enginekit import make_teacher

ROWS = BatchRows(np.arange(4), torch.arange(4))


def test_targets_can_be_kept_for_a_backward_pass():
    source = LiveTargets(make_teacher(), Needs(image_embedding=True, logits=True), rows=4)
    targets = source.fetch(ROWS, 0, torch.randn(4, 3, 32, 32))
    weight = torch.ones(4, 10, requires_grad=True)
    (weight * targets.logits).sum().backward()
    assert torch.equal(weight.grad, targets.logits)
    assert not targets.image_embedding.requires_grad
    assert (source.input.height, source.spec.classes) == (32, 10)


def test_means_alone_need_no_teacher_in_steps():
    means = torch.ones(10, 32)
    source = LiveTargets(make_teacher(), Needs(class_mean=True), rows=4, class_mean=means)
    assert source.input is None
    assert source.fetch(ROWS, 0, None).class_mean is means


def test_cast_as_a_store_would():
    source = LiveTargets(make_teacher(), Needs(logits=True), rows=4, dtype=torch.bfloat16)
    assert source.fetch(ROWS, 0, torch.randn(4, 3, 32, 32)).logits.dtype == torch.bfloat16


def test_an_encoder_has_no_logits():
    teacher = make_teacher()
    teacher.info = dataclasses.replace(teacher.info, classes=None)
    with pytest.raises(InputError, match="logits"):
        LiveTargets(teacher, Needs(logits=True), rows=4)


def test_class_means_in_row_order_and_float64():
    teacher, images = make_teacher(), torch.randn(6, 3, 32, 32)
    labels = np.array([0, 1, 0, 1, 0, 3], np.int32)
    rows = np.arange(6)
    means = live_class_means(teacher, [(rows[:4], images[:4]), (rows[4:], images[4:])], labels, 4)
    with torch.inference_mode():
        embedding = torch.cat([teacher(images[:4]).embedding, teacher(images[4:]).embedding]).double()
    assert_alike(means[0], embedding[[0, 2, 4]].mean(0).float(), rtol=1e-5)
    assert_alike(means[3], embedding[5].float(), rtol=1e-5)
    assert means[2].isnan().all()

"""Targets from the teacher itself."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from teachonce.engine.live import LiveTargets, live_class_means, live_spec
from teachonce.engine.targets import BatchRows
from teachonce.errors import InputError
from teachonce.models.teacher import Teacher
from teachonce.signals import needs
from tests.alike import assert_alike
from tests.engine.enginekit import make_teacher


def live(teacher: Teacher, *names: str, **options: Any) -> LiveTargets:
    return LiveTargets(teacher, live_spec(teacher, 4, 1), {"live": needs(*names)}, **options)


ROWS = BatchRows(np.arange(4), torch.arange(4))


def test_targets_can_be_kept_for_a_backward_pass():
    source = live(make_teacher(), "image_embedding", "logits")
    targets = source.fetch(ROWS, 0, torch.randn(4, 3, 32, 32))
    weight = torch.ones(4, 10, requires_grad=True)
    (weight * targets["logits"]).sum().backward()
    assert torch.equal(weight.grad, targets["logits"])
    assert not targets["image_embedding"].requires_grad
    assert (source.input.height, source.specs["live"].width("logits")) == (32, 10)


def test_means_alone_need_no_teacher_in_steps():
    means = torch.ones(10, 32)
    source = live(make_teacher(), "class_mean", class_mean=means)
    assert source.input is None
    assert torch.equal(source.fetch(ROWS, 0, None)["class_mean"], means)


def test_cast_as_a_store_would():
    source = live(make_teacher(), "logits", dtype=torch.bfloat16)
    assert source.fetch(ROWS, 0, torch.randn(4, 3, 32, 32))["logits"].dtype == torch.bfloat16


def test_an_encoder_has_no_logits():
    teacher = make_teacher()
    teacher.info = dataclasses.replace(teacher.info, classes=None)
    with pytest.raises(InputError, match="logits"):
        live(teacher, "logits")


def test_class_means_in_row_order_and_float64():
    teacher, images = make_teacher(), torch.randn(6, 3, 32, 32)
    labels = np.array([0, 1, 0, 1, 0, 3], np.int32)
    rows = np.arange(6)
    means = live_class_means(teacher, [(rows[:4], images[:4]), (rows[4:], images[4:])], labels, 4)
    with torch.inference_mode():
        embedding = torch.cat([teacher(images[:4])["image_embedding"], teacher(images[4:])["image_embedding"]]).double()
    assert_alike(means[0], embedding[[0, 2, 4]].mean(0).float(), rtol=1e-5)
    assert_alike(means[3], embedding[5].float(), rtol=1e-5)
    assert means[2].isnan().all()

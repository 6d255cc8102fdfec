"""Batches: which view each epoch shows, to the student and to a live teacher; kept images and streamed ones alike."""

import weakref

import numpy as np
import pytest
import torch

from teachonce.data.render import render
from teachonce.data.resident import open_images
from teachonce.data.views import draw_views, parse_augment
from teachonce.engine.feed import Batch, Feed, cut
from teachonce.engine.views import EpochViews
from teachonce.types import EvalView, InputSpec
from tests.engine.enginekit import digits

CPU = torch.device("cpu")
SMALL, LARGE = InputSpec(height=8, width=8), InputSpec(height=16, width=16)
ROWS = [np.array([3, 1, 60]), np.array([7, 7, 0])]


def make_feed(*, views: int = 1, augment: str | None = None, teacher: InputSpec | None = LARGE, budget: int = 1 << 30):
    data = digits(64)
    images = open_images(data, device=CPU, workers=0, budget_bytes=budget)
    assert images.resident == bool(budget)
    stored = draw_views(images.sizes, augment=parse_augment("crop=0.4,flip"), views=views, seed=3, rows=np.arange(64))
    plan = EpochViews(images.sizes, EvalView(), stored=stored, augment=parse_augment(augment), seed=5)
    return Feed(images, data.labels, plan, student=SMALL, teacher=teacher, device=CPU), stored


def drawn(params: np.ndarray, rows: np.ndarray, spec: InputSpec) -> torch.Tensor:
    return render(torch.from_numpy(digits(64).images[rows]), params, spec)


def batches(feed: Feed, epoch: int | None) -> list[Batch]:
    return list(feed.batches(ROWS, epoch))


@pytest.mark.parametrize("budget", [0, 1 << 30], ids=["streamed", "resident"])
def test_epoch_e_shows_view_e_mod_k_to_both(budget: int):
    feed, stored = make_feed(views=2, budget=budget)
    for epoch in range(4):
        assert feed.views.view(epoch) == epoch % 2
        for rows, batch in zip(ROWS, batches(feed, epoch), strict=True):
            params = stored[rows, epoch % 2]
            assert torch.equal(batch.inputs["image"], drawn(params, rows, SMALL))
            assert torch.equal(batch.teacher, drawn(params, rows, LARGE))
            assert batch.inputs["label"].tolist() == digits(64).labels[rows].tolist()
            assert batch.rows.host.tolist() == batch.rows.device.tolist() == rows.tolist()


def test_validation_shows_the_evaluation_view_to_the_student_alone():
    feed, _ = make_feed(views=2, augment="flip")
    whole = np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (3, 1))
    for rows, batch in zip(ROWS, batches(feed, None), strict=True):
        assert torch.equal(batch.inputs["image"], drawn(whole, rows, SMALL))
        assert batch.teacher is None


@pytest.mark.parametrize("budget", [0, 1 << 30], ids=["streamed", "resident"])
def test_a_fixed_teacher_still_sees_the_stored_view(budget: int):
    feed, stored = make_feed(views=2, augment="crop=0.3,flip", budget=budget)
    plain, _ = make_feed(views=2)
    for rows, batch, base in zip(ROWS, batches(feed, 1), batches(plain, 1), strict=True):
        assert torch.equal(batch.teacher, drawn(stored[rows, 1], rows, LARGE))
        assert not torch.equal(batch.inputs["image"], base.inputs["image"])


def test_the_students_augmentation_is_new_each_epoch_and_repeatable():
    first, again = (make_feed(augment="crop=0.3")[0] for _ in range(2))
    one, two, same = batches(first, 0), batches(first, 1), batches(again, 0)
    assert not torch.equal(one[0].inputs["image"], two[0].inputs["image"])
    assert torch.equal(one[0].inputs["image"], same[0].inputs["image"])


def test_without_a_live_teacher_nothing_is_drawn_for_it():
    feed, _ = make_feed(teacher=None)
    assert all(batch.teacher is None for batch in batches(feed, 0))


@pytest.mark.parametrize("budget", [0, 1 << 30], ids=["streamed", "resident"])
@pytest.mark.parametrize("augment", [None, "crop=0.3"])
def test_a_batch_is_gone_once_nobody_holds_it(budget: int, augment: str | None):
    feed, _ = make_feed(budget=budget, augment=augment)
    drawing = feed.batches(ROWS, 0)
    batch = next(drawing)
    watched = [weakref.ref(batch.inputs["image"]), weakref.ref(batch.teacher), weakref.ref(batch.inputs["label"])]
    del batch
    assert [seen() for seen in watched] == [None] * 3
    assert len(list(drawing)) == 1


def test_cut():
    assert [len(part) for part in cut(np.arange(10), 4, drop_last=False)] == [4, 4, 2]
    assert [len(part) for part in cut(np.arange(10), 4, drop_last=True)] == [4, 4]
    assert [len(part) for part in cut(np.arange(8), 4, drop_last=True)] == [4, 4]
    assert [len(part) for part in cut(np.arange(3), 4, drop_last=True)] == [3]

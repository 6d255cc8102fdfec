from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teachonce.data.views import Augment, compose_views, draw_views, eval_views, parse_augment, uniforms
from teachonce.errors import InputError
from teachonce.records import parse, to_json
from teachonce.types import EvalView

AUGMENT = Augment(crop=0.35, flip=True)


def draw(
    rows: np.ndarray, views: int = 3, seed: int = 7, augment: Augment = AUGMENT, size: Any = (30, 40)
) -> np.ndarray:
    return draw_views(np.full((len(rows), 2), size), augment=augment, views=views, seed=seed, rows=rows)


def test_the_generator_is_philox():
    """The known answer of Random123 (kat_vectors) for philox4x32-10, counter and key zero."""
    words = uniforms(0, np.zeros(1, np.uint64), np.zeros(1, np.uint64), 0)[:, 0] * 2**32 - 0.5
    assert [f"{int(word):08x}" for word in words] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.integers(0, 2**40), min_size=1, max_size=20, unique=True), seed=st.integers(-(2**63), 2**64))
def test_a_draw_depends_on_its_row_alone(rows: list[int], seed: int):
    together = draw(np.array(rows), seed=seed)
    alone = np.concatenate([draw(np.array([row]), seed=seed) for row in rows])
    assert (together == alone).all()
    assert (draw(np.array(rows[::-1]), seed=seed)[::-1] == together).all()
    assert (draw(np.array(rows), seed=seed, views=5)[:, :3] == together).all()


def test_rows_views_and_seeds_differ():
    views = draw(np.arange(200), views=10)
    assert len(np.unique(views.reshape(-1, 6), axis=0)) > 1990
    assert (views != draw(np.arange(200), views=10, seed=8)).any(axis=(1, 2)).all()


def test_boxes_are_inside_and_have_the_shares_and_aspects_that_were_asked_for():
    size = np.array([30, 40])
    views = draw(np.arange(4000), views=2, size=size).reshape(-1, 6)
    assert views.dtype == np.float32
    assert views[:, :4].min() >= 0
    assert views[:, :4].max() <= 1
    sides = (views[:, 2:4] - views[:, 0:2]).astype(np.float64)
    share, aspect = sides.prod(1), sides[:, 1] * size[1] / (sides[:, 0] * size[0])
    assert share.min() >= 0.35 - 1e-6
    assert 3 / 4 - 1e-5 <= aspect.min() <= aspect.max() <= 4 / 3 + 1e-5
    assert abs(views[:, 4].mean() - 0.5) < 0.03
    assert not views[:, 5].any()


def test_an_image_that_no_crop_fits_gets_the_central_one():
    views = draw(np.arange(50), size=(10, 100), augment=Augment(crop=1.0)).reshape(-1, 6)
    sides = views[:, 2:4] - views[:, 0:2]
    assert np.allclose(sides, [1, 10 * (4 / 3) / 100])
    assert np.allclose(views[:, 1] + views[:, 3], 1)


def test_only_the_aspect_of_the_image_counts():
    assert (draw(np.arange(20), size=(30, 40)) == draw(np.arange(20), size=(300, 400))).all()


def test_a_flip_alone_shows_the_whole_image():
    views = draw(np.arange(100), augment=Augment(flip=True))
    assert (views[:, :, :4] == [0, 0, 1, 1]).all()
    assert 0.35 < views[:, :, 4].mean() < 0.65


def test_a_crop_does_not_depend_on_the_flip():
    assert (draw(np.arange(9), augment=Augment(crop=0.35))[..., :4] == draw(np.arange(9))[..., :4]).all()


def test_evaluation_views_are_the_rule_for_each_size():
    sizes = np.array([[32, 32], [375, 500], [0, 0], [500, 375], [32, 32]])
    views = eval_views(sizes, EvalView(resize=256, crop=(224, 224)))
    assert views.shape == (5, 1, 6)
    assert np.allclose(views[0, 0], [16 / 256, 16 / 256, 240 / 256, 240 / 256, 0, 0])
    assert np.allclose(views[1, 0, :4], [16 / 256, 58 / 341, 240 / 256, 282 / 341])
    assert (views[2, 0] == [0, 0, 1, 1, 0, 0]).all()
    assert (views[3, 0, [1, 0, 3, 2]] == views[1, 0, :4]).all()
    assert (views[4] == views[0]).all()


def test_a_view_of_a_view_is_one_view():
    outer = np.array([0.2, 0.1, 0.6, 0.9, 0, 0], np.float32)
    inner = np.array([0.5, 0.25, 1, 0.75, 1, 0], np.float32)
    assert np.allclose(compose_views(outer, inner), [0.4, 0.3, 0.6, 0.7, 1, 0])
    flipped = np.array([0, 0, 1, 1, 1, 0], np.float32)
    left = np.array([0, 0, 1, 0.25, 0, 0], np.float32)
    assert np.allclose(compose_views(flipped, left), [0, 0.75, 1, 1, 1, 0])
    assert np.allclose(compose_views(flipped, flipped), [0, 0, 1, 1, 0, 0])


@pytest.mark.parametrize(
    ("text", "augment"),
    [
        ("crop=0.35,flip", AUGMENT),
        ("flip", Augment(flip=True)),
        (" crop=1 ", Augment(crop=1.0)),
        ("none", None),
        (None, None),
    ],
)
def test_augmentations_are_read(text: str | None, augment: Augment | None):
    assert parse_augment(text) == augment
    if augment is not None:
        assert parse(Augment, to_json(augment), "it", mend="") == augment


@pytest.mark.parametrize("text", ["crop", "crop=0", "crop=1.5", "crop=x", "crop=nan", "flip=1", "colour", "flip,,"])
def test_other_augmentations_are_refused(text: str):
    with pytest.raises(InputError, match="got"):
        parse_augment(text)

"""The order of the axes is that of the installed Pillow for new stores, and another store's where it is named."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from imagekit import noise, photo
from PIL import Image

from teachonce.data.filters import FILTERS
from teachonce.data.geometry import Geometry, differently_drawn
from teachonce.data.pil import render_image
from teachonce.data.render import render_bytes
from teachonce.data.rules import RULES, installed_rule
from teachonce.data.views import eval_views
from teachonce.types import EvalView, InputSpec

WHOLE = np.array([[0, 0, 1, 1, 0, 0]], np.float32)
SIDES = st.tuples(st.integers(1, 120), st.integers(1, 120))
NAMES = st.sampled_from(sorted(FILTERS))
BOTH = {(36, 48, 32, 32): False, (48, 36, 32, 32): True, (40, 36, 32, 32): False, (41, 36, 32, 32): True}
"""Height, width, before and after -> whether Pillow 13 takes columns first."""


def drawn(image: np.ndarray, params: np.ndarray, spec: InputSpec, rule: str | None = None) -> np.ndarray:
    return render_bytes(torch.from_numpy(image.copy())[None], params, spec, rule=rule)[0].permute(1, 2, 0).numpy()


def in_order(image: np.ndarray, out: tuple[int, int], name: str, *, columns_first: bool) -> np.ndarray:
    """Resized by PIL, one axis at a time."""
    picture, kind = Image.fromarray(image), Image.Resampling[name.upper()]
    between = (picture.width, out[0]) if columns_first else (out[1], picture.height)
    return np.asarray(picture.resize(between, kind).resize((out[1], out[0]), kind))


@settings(max_examples=150, deadline=None)
@given(size=SIDES, out=SIDES, name=NAMES, seed=st.integers(0, 99))
def test_a_whole_image_is_resized_as_the_installed_pillow_does_it(
    size: tuple[int, int], out: tuple[int, int], name: str, seed: int
):
    image, spec = noise(*size, seed), InputSpec(height=out[0], width=out[1], filter=name)
    theirs = np.asarray(Image.fromarray(image).resize((out[1], out[0]), Image.Resampling[name.upper()]))
    assert (drawn(image, WHOLE, spec) == theirs).all()
    assert (render_image(image, WHOLE[0], spec).transpose(1, 2, 0) == theirs).all()


@settings(max_examples=100, deadline=None)
@given(size=SIDES, edge=st.integers(4, 90), share=st.floats(0.2, 1), name=NAMES)
def test_a_centre_crop_is_that_of_the_resized_image(size: tuple[int, int], edge: int, share: float, name: str):
    side = max(1, int(edge * share))
    view, spec = EvalView(resize=edge, crop=(side, side)), InputSpec(height=side, width=side, filter=name)
    image, (tall, wide) = noise(*size), view.resized(*size)
    resized = np.asarray(Image.fromarray(image).resize((wide, tall), Image.Resampling[name.upper()]))
    top, left = (tall - side) // 2, (wide - side) // 2
    params = eval_views(np.array([size]), view)[:, 0]
    assert (drawn(image, params, spec) == resized[top : top + side, left : left + side]).all()
    assert (render_image(image, params[0], spec) == drawn(image, params, spec).transpose(2, 0, 1)).all()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", [*BOTH, (801, 8, 20, 7), (800, 8, 20, 7), (801, 8, 900, 7)])
@pytest.mark.parametrize("make", [noise, photo])
def test_every_rule_is_drawn_under_any_pillow(rule: str, shape: tuple[int, int, int, int], make: object):
    size, out = shape[:2], shape[2:]
    expected = {
        "early": False,
        "pillow-10": False,
        "pillow-12.2": shape == (801, 8, 20, 7),
        "pillow-13": BOTH.get(shape, shape[2] == 20),
    }[rule]
    image = noise(*size) if make is noise else photo(*size)
    spec = InputSpec(height=out[0], width=out[1], filter="bicubic")
    theirs = in_order(image, out, "bicubic", columns_first=expected)
    assert (drawn(image, WHOLE, spec, rule) == theirs).all()
    assert (render_image(image, WHOLE[0], spec, rule).transpose(1, 2, 0) == theirs).all()


def test_a_batch_may_mix_both_orders_and_boxes():
    generator, sizes = np.random.default_rng(3), np.array([(90, 40), (40, 90), (88, 44), (60, 60), (90, 38), (3, 2)])
    padded = torch.zeros((6, 90, 90, 3), dtype=torch.uint8)
    for place, (height, width) in zip(padded, sizes, strict=True):
        place[:height, :width] = torch.from_numpy(noise(height, width))
    params = np.zeros((6, 6), np.float32)
    params[:, :2], params[:, 2:4] = generator.uniform(0, 0.1, (6, 2)), generator.uniform(0.8, 1, (6, 2))
    spec = InputSpec(height=32, width=32, filter="lanczos")
    orders = Geometry.of(params, sizes, (32, 32), "pillow-13").columns_first
    assert 0 < orders.sum() < 6
    together = render_bytes(padded, params, spec, sizes, "pillow-13")
    for index, (height, width) in enumerate(sizes):
        alone = render_image(noise(height, width), params[index], spec, "pillow-13")
        assert (together[index].numpy() == alone).all()


@settings(max_examples=100, deadline=None)
@given(size=SIDES, out=SIDES, name=NAMES, one=st.sampled_from(sorted(RULES)), other=st.sampled_from(sorted(RULES)))
def test_where_two_rules_draw_alike_is_known_without_drawing(
    size: tuple[int, int], out: tuple[int, int], name: str, one: str, other: str
):
    image, spec = noise(*size), InputSpec(height=out[0], width=out[1], filter=name)
    same = (drawn(image, WHOLE, spec, one) == drawn(image, WHOLE, spec, other)).all()
    if not differently_drawn(WHOLE, np.array([size]), spec, one, other)[0]:
        assert same


def test_nearest_keeps_the_centres_of_stores_that_name_no_rule():
    """Pillow sums the steps up, and a third three times is less than one."""
    spec = InputSpec(height=30, width=30, filter="nearest")
    images = [noise(side, side) for side in range(20, 120)]
    early, now = ([drawn(image, WHOLE, spec, rule) for image in images] for rule in ("early", installed_rule()))
    expected = [
        image[(places := ((np.arange(30) + 0.5) * (len(image) / 30)).astype(int))][:, places] for image in images
    ]
    assert all((got == direct).all() for got, direct in zip(early, expected, strict=True))
    assert any((got != direct).any() for got, direct in zip(now, expected, strict=True))

"""Images of any sizes side by side: what is drawn is what each alone gives, and what it costs follows their pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from imagekit import noise

from teachonce.data.packed import MOST_PADDING, Packed, grouped
from teachonce.data.pixels import Collected, Pixels
from teachonce.data.render import render_bytes
from teachonce.data.rules import RULES
from teachonce.data.views import Augment, draw_views
from teachonce.data.workers import Decoded
from teachonce.types import InputSpec

CPU = torch.device("cpu")
ALIKE = [(20, 20)] * 40
MIXED = [(12 + row % 9, 30 - row % 11) for row in range(40)]
SIZES = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=1, max_size=12)


def kept(images: list[np.ndarray]) -> Pixels:
    collected = Collected(sum(image.size for image in images))
    collected.add(np.arange(len(images)), [Decoded(image, 0) for image in images])
    return Pixels(collected, CPU, CPU)


def views(sizes: list[tuple[int, int]], seed: int) -> np.ndarray:
    augment = Augment(crop=0.2, flip=True)
    return draw_views(np.array(sizes), augment=augment, views=1, seed=seed, rows=np.arange(len(sizes)))[:, 0]


@settings(max_examples=40, deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 1000), rule=st.sampled_from(sorted(RULES)), whole=st.booleans())
def test_a_batch_of_any_sizes_is_drawn_as_each_image_alone(
    sizes: list[tuple[int, int]], seed: int, rule: str, whole: bool
):
    images = [noise(*size, seed + index) for index, size in enumerate(sizes)]
    params = np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (len(sizes), 1)) if whole else views(sizes, seed)
    spec = InputSpec(height=17 + seed % 20, width=24, filter=("bicubic", "lanczos", "nearest")[seed % 3])
    alone = [
        render_bytes(torch.from_numpy(image)[None], view[None], spec, rule=rule)[0]
        for image, view in zip(images, params, strict=True)
    ]
    for packed in (Packed.of(images), kept(images).batch(np.arange(len(images)))):
        assert torch.equal(packed.draw(params, spec, rule), torch.stack(alone))


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.tuples(st.integers(1, 4000), st.integers(1, 4000)), min_size=1, max_size=200))
def test_padding_is_bounded_by_the_pixels_that_are_there(sizes: list[tuple[int, int]]):
    real = np.array(sizes)
    groups = grouped(real)
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(sizes)))
    for group in groups:
        assert len(group) * real[group].max(0).prod() <= MOST_PADDING * real[group].prod(1).sum()


def test_one_large_image_makes_the_others_no_dearer():
    """2400 x 3200 among 31 of 300 x 400: padded to the largest, 32 x 7.7 million pixels."""
    sizes = [(300, 400)] * 20 + [(2400, 3200)] + [(300, 400)] * 11
    images = [np.zeros((*size, 3), np.uint8) for size in sizes]
    there = sum(image.size for image in images)
    for packed in (Packed.of(images), kept(images).batch(np.arange(32))):
        assert packed.pixels.numel() == there
        assert sum(packed.padded(group).numel() for group in packed.groups) == there


def test_portraits_and_landscapes_are_few_groups():
    sizes = [((375, 500), (500, 375), (500, 333), (333, 500))[index % 4] for index in range(256)]
    assert len(grouped(np.array(sizes))) <= 4


@pytest.mark.parametrize("sizes", [ALIKE, MIXED])
def test_gathering_by_index_is_copying(sizes: list[tuple[int, int]]):
    """What a GPU does in one kernel, and a CPU by copies."""
    batch = kept([noise(*size, row) for row, size in enumerate(sizes)]).batch(np.array([7, 0, 39, 39, 12]))
    places = np.arange(5)
    gathered, copied = batch._gathered(batch.sizes, batch.offsets), batch.padded(places)
    assert gathered.shape == copied.shape
    for place, (height, width) in zip(places, batch.sizes, strict=True):
        for images in (gathered, copied):
            assert torch.equal(images[place, :height, :width], batch.image(place))


@pytest.mark.parametrize("sizes", [[(0, 0), (200, 300), (20, 30), (0, 0)], [(0, 0), (0, 0)]])
def test_failed_images_are_black(sizes: list[tuple[int, int]]):
    packed = Packed.of([np.full((*size, 3), 9, np.uint8) for size in sizes])
    drawn = packed.draw(
        np.tile(np.array([0, 0, 1, 1, 0, 0], np.float32), (len(sizes), 1)), InputSpec(height=8, width=8)
    )
    assert [int(image.max()) for image in drawn] == [9 if height else 0 for height, _ in sizes]


def test_a_very_large_image_is_drawn_in_strips(monkeypatch: pytest.MonkeyPatch):
    """So that what lies between the passes is bounded, whichever axis comes first."""
    spec, params = InputSpec(height=20, width=20), np.array([[0, 0, 1, 1, 0, 0]], np.float32)
    tall, wide = (torch.from_numpy(noise(*size))[None] for size in ((90, 40), (40, 90)))
    expected = [render_bytes(images, params, spec, rule="pillow-13") for images in (tall, wide)]
    largest: list[int] = []
    along = torch.Tensor.to

    def watched(tensor: torch.Tensor, *args: object, **options: object) -> torch.Tensor:
        largest.append(tensor.numel() if args == (torch.float32,) else 0)
        return along(tensor, *args, **options)

    monkeypatch.setattr("teachonce.data.render._LARGEST_CHUNK", {"cpu": 3 * 40 * 20})
    monkeypatch.setattr(torch.Tensor, "to", watched)
    for images, drawn in zip((tall, wide), expected, strict=True):
        assert torch.equal(render_bytes(images, params, spec, rule="pillow-13"), drawn)
    assert 0 < max(largest) <= 3 * 40 * 20

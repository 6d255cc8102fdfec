"""The rendering is PIL's, pixel for pixel; so it is that of the image processors, of every device and batch."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from imagekit import noise, photo
from PIL import Image

from teachonce.data.filters import FILTERS
from teachonce.data.pil import pil_agrees, render_image
from teachonce.data.render import normalise, render, render_bytes
from teachonce.data.views import eval_views
from teachonce.errors import InputError
from teachonce.types import EvalView, InputSpec

RESAMPLING = {name: Image.Resampling[name.upper()] for name in FILTERS}
WHOLE = np.array([[0, 0, 1, 1, 0, 0]], np.float32)


def batch(*images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(images))


def by_pil(image: np.ndarray, params: np.ndarray, height: int, width: int, name: str) -> np.ndarray:
    sides = np.array(image.shape[:2])
    y0, x0, y1, x1 = (params[:4].astype(np.float64) * [*sides, *sides]).astype(np.float32).tolist()
    # One axis at a time: Pillow 13 chooses their order by the shape.
    lines = Image.fromarray(image).resize((width, sides[0]), RESAMPLING[name], box=(x0, 0, x1, sides[0]))
    pixels = np.asarray(lines.resize((width, height), RESAMPLING[name], box=(0, y0, width, y1)))
    return np.rot90(pixels[:, ::-1] if params[4] else pixels, int(params[5]))


SHAPES = [(32, 32, 224, 224), (224, 224, 32, 32), (33, 47, 64, 20), (8, 8, 32, 32), (94, 125, 64, 85), (32, 32, 32, 32)]


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_whole_image_is_resized_as_pil_does_it(shape: tuple[int, ...], name: str):
    image, spec = noise(*shape[:2]), InputSpec(height=shape[2], width=shape[3], filter=name)
    ours = render_bytes(batch(image, image), WHOLE.repeat(2, 0), spec)
    expected = by_pil(image, WHOLE[0], *shape[2:], name)
    assert (ours[1].permute(1, 2, 0).numpy() == expected).all()


@pytest.mark.parametrize("name", [name for name in FILTERS if name != "nearest"])
def test_boxes_flips_and_turns_differ_by_image_and_are_pils(name: str):
    generator = np.random.default_rng(0)
    images, params = batch(*(noise(45, 61, seed) for seed in range(12))), np.zeros((12, 6), np.float32)
    params[:, :2] = generator.uniform(0, 0.6, (12, 2))
    params[:, 2:4] = params[:, :2] + generator.uniform(0.1, 0.4, (12, 2))
    params[:, 4], params[:, 5] = np.arange(12) % 2, np.arange(12) // 2 % 4
    spec = InputSpec(height=24, width=40, filter=name)
    ours = render_bytes(images, params, spec).permute(0, 2, 3, 1).numpy()
    for image, row, got in zip(images.numpy(), params, ours, strict=True):
        height, width = (40, 24) if row[5] % 2 else (24, 40)
        assert (got == by_pil(image, row, height, width, name)).all()


def processors() -> dict[str, tuple[Any, EvalView, InputSpec]]:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    def spec(size: int, processor: Any, name: str) -> InputSpec:
        mean, std = (tuple(values) for values in (processor.image_mean, processor.image_std))
        return InputSpec(height=size, width=size, mean=mean, std=std, filter=name)

    vit = ViTImageProcessorPil(size={"height": 224, "width": 224})
    small = ViTImageProcessorPil(size={"height": 32, "width": 32}, resample=3)
    clip = CLIPImageProcessorPil(size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224})
    convnext = ConvNextImageProcessorPil(size={"shortest_edge": 224}, crop_pct=0.875)
    square = EvalView(resize=256, crop=(224, 224))
    return {
        "vit": (vit, EvalView(resize=(224, 224)), spec(224, vit, "bilinear")),
        "small": (small, EvalView(resize=(32, 32)), spec(32, small, "bicubic")),
        "clip": (clip, square, spec(224, clip, "bicubic")),
        "convnext": (convnext, square, spec(224, convnext, "bicubic")),
    }


@pytest.mark.parametrize("name", ["vit", "small", "clip", "convnext"])
@pytest.mark.parametrize("size", [(32, 32), (375, 500), (500, 375), (224, 224), (257, 301), (64, 400), (900, 64)])
@pytest.mark.parametrize("make", [noise, photo])
def test_the_evaluation_view_is_that_of_the_image_processor(name: str, size: tuple[int, int], make: Any):
    processor, view, spec = processors()[name]
    image = make(*size)
    theirs = processor(Image.fromarray(image), return_tensors="pt")["pixel_values"]
    ours = render(batch(image), eval_views(np.array([size]), view)[:, 0], spec)
    assert ours.shape == theirs.shape
    error = (ours - theirs).abs() * torch.tensor(spec.std).reshape(3, 1, 1) * 255
    assert float(error.max()) < 0.01  # levels: what float32 leaves of mean and std


def test_a_crop_beyond_the_image_is_padded_black_as_processors_do():
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(do_resize=False, crop_size={"height": 40, "width": 25})
    spec = InputSpec(height=40, width=25, mean=tuple(processor.image_mean), std=tuple(processor.image_std))
    for size in ((31, 20), (32, 50), (50, 21)):
        image = noise(*size)
        theirs = processor(Image.fromarray(image), return_tensors="pt")["pixel_values"]
        params = eval_views(np.array([size]), EvalView(crop=(40, 25)))[:, 0]
        assert (render(batch(image), params, spec) - theirs).abs().max() < 1e-5
        assert (render_image(image, params[0], spec) == render_bytes(batch(image), params, spec)[0].numpy()).all()


def test_the_whole_image_at_its_own_size_is_copied():
    image, spec = noise(32, 32), InputSpec(height=32, width=32, filter="lanczos")
    assert (render_bytes(batch(image), WHOLE, spec)[0].permute(1, 2, 0).numpy() == image).all()


def test_padding_is_never_seen():
    images = [noise(20, 31, 1), noise(37, 12, 2), noise(37, 31, 3)]
    sizes = np.array([image.shape[:2] for image in images])
    padded = torch.full((3, 37, 31, 3), 255, dtype=torch.uint8)
    for place, image in zip(padded, images, strict=True):
        place[: image.shape[0], : image.shape[1]] = torch.from_numpy(image)
    params = np.array([[0, 0, 1, 1, 0, 0], [0.2, 0.1, 0.9, 1, 1, 0], [0, 0.3, 0.7, 1, 0, 3]], np.float32)
    spec = InputSpec(height=16, width=24)
    together = render_bytes(padded, params, spec, sizes)
    for index, image in enumerate(images):
        alone = render_bytes(batch(image), params[index : index + 1], spec)
        assert torch.equal(together[index], alone[0])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    out=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    name=st.sampled_from(sorted(FILTERS)),
)
def test_an_image_is_drawn_alike_alone_in_company_and_in_a_worker(
    seed: int, size: tuple[int, int], out: tuple[int, int], name: str
):
    generator = np.random.default_rng(seed)
    corners = np.sort(generator.uniform(-0.1, 1.1, (3, 2, 2)), axis=1)
    corners[:, 1] += 0.01
    params = np.zeros((3, 6), np.float32)
    params[:, :4] = corners.reshape(3, 4)
    params[:, 4:] = generator.integers(0, (2, 4), (3, 2))
    images = batch(*(noise(*size, seed % 1000 + index) for index in range(3)))
    spec = InputSpec(height=out[0], width=out[1], filter=name)
    together = render_bytes(images, params, spec)
    shared = render_bytes(images, params[:1].repeat(3, 0), spec)
    assert torch.equal(together[0], shared[0])
    for index in range(3):
        assert (render_image(images[index].numpy(), params[index], spec) == together[index].numpy()).all()


def test_large_batches_are_drawn_in_parts(monkeypatch: pytest.MonkeyPatch):
    images, spec = batch(*(noise(20, 20, seed) for seed in range(7))), InputSpec(height=30, width=30)
    params = WHOLE.repeat(7, 0)
    params[:, 4] = np.arange(7) % 2
    expected = render_bytes(images, params, spec)
    monkeypatch.setattr("teachonce.data.render._LARGEST_CHUNK", {"cpu": 3 * 30 * 30 * 2})
    assert torch.equal(render_bytes(images, params, spec), expected)
    assert torch.equal(render_bytes(images, WHOLE.repeat(7, 0), spec)[0], expected[0])


def test_pixels_are_normalised():
    spec = InputSpec(height=4, width=4, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    image = noise(4, 4)
    expected = (image / 255 - spec.mean) / spec.std
    got = render(batch(image), torch.from_numpy(WHOLE), spec, torch.tensor([[4, 4]]))
    assert got.dtype == torch.float32
    assert got.is_contiguous()
    assert np.allclose(got[0].permute(1, 2, 0).numpy(), expected, atol=1e-6)


def test_autocast_and_inference_mode_change_nothing():
    images, spec = batch(noise(20, 20), noise(20, 20, 1)), InputSpec(height=30, width=30)
    params = np.array([[0, 0, 1, 1, 0, 0], [0, 0, 0.5, 1, 1, 0]], np.float32)
    expected = render(images, params, spec)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(render(images, params, spec), expected)
    weight = torch.nn.Parameter(torch.ones(3, 1, 1))
    (normalise(render_bytes(images, params[:1].repeat(2, 0), spec), spec) * weight).sum().backward()
    assert weight.grad is not None


def test_an_unknown_filter_is_named():
    with pytest.raises(InputError, match="got 'cubic'"):
        render(batch(noise()), WHOLE, InputSpec(height=8, width=8, filter="cubic"))


def test_this_pil_computes_as_we_do():
    assert pil_agrees()

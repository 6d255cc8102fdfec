"""Image processors as an input spec and a view: exact where it can be said, refused where it cannot."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models as tiny
import torch
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn.functional import interpolate

from teachonce.data.pil import evaluation_view
from teachonce.data.rules import RULES, installed_rule
from teachonce.errors import ModelError
from teachonce.models.channels import translate_rgb
from teachonce.models.processor import load_processor, probe_sizes, processor_json, squeezing_processor, translate
from teachonce.types import EvalView, InputSpec

SHORT = {"size": {"shortest_edge": 40}, "do_center_crop": True, "crop_size": {"height": 32, "width": 32}}


def load(folder: Path, **changes: Any) -> Any:
    (folder / "config.json").write_text('{"model_type": "vit"}')
    tiny.write_processor(folder, **changes)
    where = {"pretrained_model_name_or_path": str(folder), "local_files_only": True}
    return load_processor("t", where, trust_remote_code=False)


def image(height: int = 50, width: int = 71) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8))


@pytest.mark.parametrize(
    ("changes", "view"),
    [
        ({}, EvalView(resize=(32, 32))),
        ({"size": {"height": 24, "width": 40}}, EvalView(resize=(24, 40))),
        ({"image_processor_type": "CLIPImageProcessor", **SHORT}, EvalView(resize=40, crop=(32, 32))),
        ({"image_processor_type": "BitImageProcessor", **SHORT}, EvalView(resize=40, crop=(32, 32))),
        ({"image_processor_type": "MobileNetV1ImageProcessor", **SHORT}, EvalView(resize=40, crop=(32, 32))),
        ({"image_processor_type": "SiglipImageProcessor"}, EvalView(resize=(32, 32))),
        (
            {"image_processor_type": "DeiTImageProcessor", **SHORT, "size": {"height": 36, "width": 36}},
            EvalView(resize=(36, 36), crop=(32, 32)),
        ),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 28}, "crop_pct": 0.875},
            EvalView(resize=32, crop=(28, 28)),
        ),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}},
            EvalView(resize=(384, 384)),
        ),
        ({"image_processor_type": "LevitImageProcessor", **SHORT}, EvalView(resize=45, crop=(32, 32))),
        (
            {"image_processor_type": None, "feature_extractor_type": "ViTFeatureExtractor", "size": 32},
            EvalView(resize=(32, 32)),
        ),
        ({"image_processor_type": None, "size": 32}, EvalView(resize=(32, 32))),
        ({"image_processor_type": "ViTImageProcessorFast"}, EvalView(resize=(32, 32))),
    ],
)
def test_views(changes: dict[str, Any], view: EvalView, tmp_path: Path):
    given, got = translate(load(tmp_path, **changes), "t")
    assert got == view
    size = view.crop or view.resize
    assert (given.height, given.width) == size
    assert (given.mean, given.std) == ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))


@pytest.mark.parametrize(
    ("changes", "mean", "std"),
    [
        ({"do_normalize": False}, (0, 0, 0), (1, 1, 1)),
        ({"do_rescale": False, "image_mean": [128] * 3, "image_std": [64] * 3}, (128 / 255,) * 3, (64 / 255,) * 3),
        ({"rescale_factor": 1 / 127.5, "image_mean": [1] * 3, "image_std": [1] * 3}, (0.5,) * 3, (0.5,) * 3),
        ({"image_mean": 0.5, "image_std": 0.5}, (0.5,) * 3, (0.5,) * 3),
        ({"image_processor_type": "EfficientNetImageProcessor"}, (0.4, 0.5, 0.6), (0.04, 0.0625, 0.09)),
    ],
)
def test_normalisation(changes: dict[str, Any], mean: tuple[float, ...], std: tuple[float, ...], tmp_path: Path):
    processor = load(tmp_path, **changes)
    given, view = translate(processor, "t")
    assert given.mean == pytest.approx(mean)
    assert given.std == pytest.approx(std)
    expected = processor(images=image(), return_tensors="np")["pixel_values"][0]
    assert np.abs(evaluation_view(np.asarray(image()), given, view) - expected).max() < 1e-3


@pytest.mark.parametrize(
    ("code", "name"), [(0, "nearest"), (1, "lanczos"), (2, "bilinear"), (3, "bicubic"), (4, "box")]
)
def test_filters(code: int, name: str, tmp_path: Path):
    given, view = translate(load(tmp_path, resample=code), "t")
    assert given.filter == name
    expected = load(tmp_path, resample=code)(images=image(), return_tensors="np")["pixel_values"][0]
    assert np.abs(evaluation_view(np.asarray(image()), given, view) - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"do_resize": False}, "does not resize"),
        ({"do_pad": True, "pad_size": {"height": 64, "width": 64}}, "sets do_pad"),
        ({"image_processor_type": "DonutImageProcessor"}, "sets do_pad, do_thumbnail"),
        ({"image_processor_type": "MobileViTImageProcessor", **SHORT}, "sets do_flip_channel_order"),
        ({"size": {"shortest_edge": 32}}, "images of varying size"),
        ({"size": {"shortest_edge": 32, "longest_edge": 64}}, "size .* is not supported"),
        ({**SHORT, "size": {"shortest_edge": 24}}, "pads"),
        (
            {"image_processor_type": "DPTImageProcessor", "keep_aspect_ratio": True, "ensure_multiple_of": 16},
            "does more than resize, crop, rescale and normalise",
        ),
        ({"image_processor_type": "EfficientNetImageProcessor", "rescale_offset": True}, "does more than"),
        ({"image_processor_type": "Sam2ImageProcessorFast"}, "Sam2ImageProcessor has no PIL backend"),
        ({"image_processor_type": "Siglip2ImageProcessor", "size": None}, "Siglip2ImageProcessorPil has no fixed size"),
        ({"size": {"height": 32.0, "width": 32.0}}, "height 32.0"),
        ({"size": {"height": 1 << 20, "width": 1 << 20}}, "expected a whole number up to"),
        ({"image_mean": [0.5] * 4, "image_std": [0.5] * 4}, "are not supported"),
        ({"image_std": [0, 0, 0]}, "expected finite numbers other than 0"),
        ({"rescale_factor": 0}, "expected finite numbers other than 0"),
        ({"resample": 9}, "are not supported"),
        ({"do_center_crop": True, "crop_size": None}, "are not supported"),
    ],
)
def test_what_cannot_be_said_is_refused(changes: dict[str, Any], message: str, tmp_path: Path):
    with pytest.raises(ModelError, match=message) as caught:
        translate(load(tmp_path, **changes), "t")
    assert caught.value.mend


SIZES = (
    None, 32, [32, 32], {}, {"height": 32}, {"height": "32", "width": "32"}, {"height": -1, "width": 32},
    {"height": 1 << 24, "width": 1 << 24}, {"shortest_edge": 32}, {"longest_edge": 32}, {"max_pixels": 999}, "big",
)  # fmt: skip
CHANGES: tuple[dict[str, Any], ...] = (
    *({"size": size} for size in SIZES),
    *({"do_center_crop": True, "crop_size": size} for size in (None, 7, [7, 9], {"shortest_edge": 7}, {"height": 7})),
    *({"resample": code} for code in (None, 9, -1, "bicubic", 2.5)),
    *({"do_normalize": True, "image_mean": mean} for mean in (None, [0.5], [0.5] * 4, "x", 0.5)),
    *({"do_normalize": True, "image_std": std} for std in (None, [0.5], [0.5] * 4, [0] * 3, [float("nan")] * 3)),
    *({"do_rescale": True, "rescale_factor": factor} for factor in (None, 0, -1, "x", 1e300, float("nan"))),
    *({"crop_pct": share} for share in (None, 0, "x")),
    {"do_resize": None}, {"do_rescale": False}, {"do_flip_channel_order": True}, {"do_convert_rgb": False},
    {"input_data_format": "channels_last"}, {"patch_size": 0}, {"image_processor_type": 3}, {"unknown": {"a": [1]}},
)  # fmt: skip
"""Settings of another shape than most processors have."""


def test_every_processor_of_transformers_is_translated_or_refused(tmp_path: Path):
    """By its own defaults, and with a setting that is drawn: whatever it is, nothing but a ModelError comes of it."""
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

    names = sorted({name for kinds in IMAGE_PROCESSOR_MAPPING_NAMES.values() for name in kinds.values() if name})
    names = sorted({name.removesuffix("Pil") for name in names})
    order = np.random.default_rng(7).permutation(len(CHANGES))
    translated, refused = 0, []
    for index, name in enumerate(names):
        drawn = {"size": {"height": 32, "width": 32}, **CHANGES[order[index % len(order)]]}
        for changes in ({}, drawn):
            try:
                given, view, _ = translate_rgb(bare(tmp_path, **{"image_processor_type": name, **changes}), "t")
            except ModelError as error:
                refused.append(error)
            else:
                translated += 1
                assert (given.height, given.width) == (view.crop or view.resize)
    assert all(error.mend and "\n" not in str(error) for error in refused)
    assert min(translated, len(refused)) > 20


def bare(folder: Path, **settings: Any) -> Any:
    """A processor with these settings alone, and its class's defaults."""
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    where = {"pretrained_model_name_or_path": str(folder), "local_files_only": True}
    return load_processor("t", where, trust_remote_code=False)


@pytest.mark.parametrize("settings", [{}, {"size": {"height": 48, "width": 40}, "image_mean": [0.4, 0.5, 0.6]}])
@pytest.mark.parametrize("name", ["DINOv3ViTImageProcessor", "DINOv3ViTImageProcessorFast", "Tipsv2ImageProcessor"])
@pytest.mark.parametrize("shape", [(50, 71), (90, 47), (600, 800)])
def test_processors_of_torchvision_alone(name: str, settings: dict[str, Any], shape: tuple[int, int], tmp_path: Path):
    """Those resize in float, after rescaling, with torch's antialiased filter: ours differs by rounding to 8 bits."""
    given, view = translate(bare(tmp_path, image_processor_type=name, **settings), "t")
    assert given.filter == "bilinear"
    photo = image(*shape)
    pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].double() / 255
    resized = interpolate(pixels, (given.height, given.width), mode="bilinear", antialias=True)[0].numpy()
    expected = (resized.transpose(1, 2, 0) - given.mean) / given.std
    difference = np.abs(evaluation_view(np.asarray(photo), given, view).transpose(1, 2, 0) - expected) * given.std * 255
    assert difference.max() <= 1.01
    assert difference.mean() < 0.4
    if name.startswith("DINO") and not settings:
        assert given == InputSpec(
            height=224, width=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), filter="bilinear"
        )


def test_a_processor_without_a_pil_backend_keeps_its_name(tmp_path: Path):
    settings = processor_json(bare(tmp_path, image_processor_type="DINOv3ViTImageProcessorFast"))
    assert settings["image_processor_type"] == "DINOv3ViTImageProcessor"


def test_a_flip_that_is_more_than_a_flip_is_refused(tmp_path: Path):
    """Normalised after it, red would be given the mean and std of blue."""
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    class Flipping(ViTImageProcessorPil):
        do_flip_channel_order = True

        def rescale(self, image: Any, *args: Any, **kwargs: Any) -> Any:
            scaled = super().rescale(image, *args, **kwargs)
            return scaled[::-1] if self.do_flip_channel_order else scaled

    settings = {key: value for key, value in tiny.PROCESSOR.items() if key != "image_processor_type"}
    with pytest.raises(ModelError, match="do_flip_channel_order"):
        translate_rgb(Flipping(**settings), "t")
    grey = {"image_mean": [0.5] * 3, "image_std": [0.2] * 3}
    assert translate_rgb(Flipping(**settings | grey), "t")[2]


def test_no_processor_is_an_error_never_a_guess(tmp_path: Path):
    folder = tiny.classifier(tmp_path, "resnet")
    (folder / "preprocessor_config.json").unlink()
    where = {"pretrained_model_name_or_path": str(folder), "local_files_only": True}
    with pytest.raises(ModelError, match=r"'t' has no image processor \(preprocessor_config.json\)") as caught:
        load_processor("t", where, trust_remote_code=False)
    assert "Copy preprocessor_config.json" in caught.value.mend


def test_the_backend_is_pil_even_where_the_json_says_fast(tmp_path: Path):
    processor = load(tmp_path, image_processor_type="ViTImageProcessorFast")
    assert type(processor).__name__ == "ViTImageProcessorPil"


def test_its_json_is_what_was_loaded(tmp_path: Path):
    settings = processor_json(load(tmp_path))
    assert {key: settings[key] for key in tiny.PROCESSOR} == tiny.PROCESSOR
    assert str(tmp_path) not in str(settings)


def test_the_processor_that_we_write_translates_back(tmp_path: Path):
    given = InputSpec(height=24, width=32, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), filter="lanczos")
    processor = load(tmp_path, **squeezing_processor(given))
    assert translate(processor, "t") == (given, EvalView(resize=(24, 32)))


class Otherwise:
    """A processor that treats some images in another way than its settings say.

    Args:
        processor: What it is otherwise.
        draw: From (image, height, width of the view) to its pixels; None: as the settings say.
    """

    def __init__(self, processor: Any, draw: Callable[[Image.Image], Image.Image | None]) -> None:
        self.__dict__.update(vars(processor))
        self._processor, self._draw = processor, draw

    def __call__(self, images: Image.Image, **options: Any) -> Any:
        changed = self._draw(images)
        return self._processor(images=images if changed is None else changed, **options)


def other_order(picture: Image.Image) -> Image.Image | None:
    """Lines first where Pillow takes columns first, and the other way round."""
    if picture.height < 2 * picture.width:
        return None
    between = (32, picture.height) if installed_rule() == "pillow-13" else (picture.width, 32)
    return picture.resize(between, Image.Resampling.BILINEAR).resize((32, 32), Image.Resampling.BILINEAR)


def nearest_of_centres(picture: Image.Image) -> Image.Image | None:
    """The pixel just below where a centre lies between two."""
    if picture.size != (64, 64):
        return None
    return Image.fromarray(np.asarray(picture)[::2, ::2])


def one_beside(picture: Image.Image) -> Image.Image | None:
    """The crop one pixel further right where an odd number of pixels is left."""
    wide = EvalView(resize=40).resized(picture.height, picture.width)[1]
    if (wide - 32) % 2 == 0:
        return None
    resized = picture.resize((wide, 40), Image.Resampling.BILINEAR)
    left = (wide - 32) // 2 + 1
    return resized.crop((left - 4, 0, left + 36, 40))


@pytest.mark.parametrize(
    ("changes", "draw"),
    [
        ({"resample": 2}, other_order),
        ({"resample": 0}, nearest_of_centres),
        ({"image_processor_type": "CLIPImageProcessor", "resample": 2, **SHORT}, one_beside),
    ],
)
def test_a_processor_that_differs_in_some_shapes_only_is_seen(
    changes: dict[str, Any], draw: Callable[[Image.Image], Image.Image | None], tmp_path: Path
):
    processor = load(tmp_path, **changes)
    assert translate(processor, "t")
    with pytest.raises(ModelError):
        translate(Otherwise(processor, draw), "t")


@pytest.mark.parametrize("view", [EvalView(resize=(32, 32)), EvalView(resize=40, crop=(32, 32))])
def test_probes_are_of_every_kind(view: EvalView):
    sizes = probe_sizes(InputSpec(height=32, width=32), view)
    resized = [view.resized(*size) for size in sizes]
    assert any(
        RULES["pillow-13"].vertical_first(*map(np.asarray, (*size, *after)))
        for size, after in zip(sizes, resized, strict=True)
    )
    assert any(size[0] > after[0] for size, after in zip(sizes, resized, strict=True))
    assert any(size[0] < after[0] for size, after in zip(sizes, resized, strict=True))
    assert any(size == (2 * after[0], 2 * after[1]) for size, after in zip(sizes, resized, strict=True))
    if view.crop is not None:
        assert all(any((after[axis] - 32) % 2 for after in resized) for axis in (0, 1))


@settings(max_examples=30, deadline=None)
@drawn(
    size=st.tuples(st.integers(8, 160), st.integers(8, 160)),
    view=st.sampled_from(
        [EvalView(resize=(32, 32)), EvalView(resize=40, crop=(32, 32)), EvalView(resize=45, crop=(32, 32))]
    ),
    resample=st.integers(0, 5),
)
def test_our_renderer_draws_what_the_processor_gives(
    size: tuple[int, int], view: EvalView, resample: int, tmp_path_factory: pytest.TempPathFactory
):
    changes: dict[str, Any] = {"resample": resample}
    if view.crop is not None:
        changes |= {"image_processor_type": "CLIPImageProcessor", **SHORT, "size": {"shortest_edge": view.resize}}
    processor = load(tmp_path_factory.mktemp("p"), **changes)
    given, found = translate(processor, "t")
    assert found == view
    picture = image(*size)
    expected = processor(images=picture, return_tensors="np")["pixel_values"][0]
    assert np.abs(evaluation_view(np.asarray(picture), given, view) - expected).max() < 1e-5


def test_mobilevit_as_the_hub_has_it(tmp_path: Path):
    """Settings of an old form: numbers for sizes, the name of a feature extractor."""
    settings = {"feature_extractor_type": "MobileViTFeatureExtractor", "size": 288, "crop_size": 256, "resample": 2}
    on = {"do_center_crop": True, "do_flip_channel_order": True, "do_resize": True}
    given, view, is_bgr = translate_rgb(bare(tmp_path, **settings, **on), "t")
    assert (view, is_bgr) == (EvalView(resize=288, crop=(256, 256)), True)
    assert given == InputSpec(height=256, width=256, mean=(0, 0, 0), std=(1, 1, 1), filter="bilinear")

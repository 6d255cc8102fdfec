"""A model's own image processor, with its PIL backend, written as an InputSpec and an EvalView.

The translation is checked on probe images: what the processor gives must be what our own renderer draws, by the rule of
the installed Pillow.
A processor that does anything else is refused, never approximated.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from teachonce.data.pil import evaluation_view
from teachonce.errors import ModelError, TeachonceError
from teachonce.models.hub import loading
from teachonce.records import to_json
from teachonce.types import EvalView, Filter, InputSpec

_FILTERS: dict[Image.Resampling, Filter] = {
    Image.Resampling.NEAREST: "nearest",
    Image.Resampling.BOX: "box",
    Image.Resampling.BILINEAR: "bilinear",
    Image.Resampling.HAMMING: "hamming",
    Image.Resampling.BICUBIC: "bicubic",
    Image.Resampling.LANCZOS: "lanczos",
}
_HARMLESS = {"do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb", "do_reduce_labels"}
_MEND = "Use another teacher, or a package.module:factory that does it inside its network"
_PROBES = ((61, 83), (90, 47))  # height, width: one wide, one tall
_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_SQUEEZE = {"do_resize": True, "resample": 2, "do_rescale": True, "rescale_factor": 1 / 255}
_PLAIN: dict[str, dict[str, Any]] = {
    "DINOv3ViTImageProcessor": {**_SQUEEZE, **_IMAGENET, "do_normalize": True, "size": {"height": 224, "width": 224}},
    "Tipsv2ImageProcessor": {**_SQUEEZE, "do_normalize": False, "size": {"height": 448, "width": 448}},
}
"""Processors of torchvision alone that resize, crop, rescale and normalise only, and the defaults of their settings.
Theirs resize in float, ours in 8 bits: pixels differ by the rounding."""
_MOST_SIDE = 1 << 12
"""In pixels: the probes are rendered in float64."""
_TOLERANCE = 2e-3
"""In normalised units: a tenth of one step of eight bits at std 0.2."""


def load_processor(spec: str, where: Mapping[str, Any], *, trust_remote_code: bool) -> Any:
    """The image processor that belongs to a model, never the torchvision one.

    Raises:
        ModelError: The model has none, or none with a PIL backend and none that does the same.
    """
    with loading(spec):
        from transformers.image_processing_base import ImageProcessingMixin

        # Not from `transformers` itself: up to 5.19 that name wants torchvision even for the PIL backend.
        from transformers.models.auto.image_processing_auto import AutoImageProcessor

        try:
            settings, _ = ImageProcessingMixin.get_image_processor_dict(**where)
            name = str(settings.get("image_processor_type")).removesuffix("Fast")
            if name in _PLAIN:
                return _plain(name).from_dict(settings)
            load: Any = AutoImageProcessor.from_pretrained
            processor = load(**where, backend="pil", trust_remote_code=trust_remote_code)
        except OSError as error:
            if "preprocessor_config.json" not in str(error):
                raise
            mend = "Copy preprocessor_config.json of the model it was made from, or save its processor into the folder"
            raise ModelError(f"{spec!r} has no image processor (preprocessor_config.json)", mend) from error
        except ImportError as error:
            raise _no_pil(spec, str(error).split()[0]) from error
        except ValueError as error:
            if "Could not load any image processor class" not in str(error):
                raise
            raise _no_pil(spec, name) from error
    if getattr(processor, "backend", None) != "pil":
        raise _no_pil(spec, type(processor).__name__)
    return processor


def _plain(name: str) -> Any:
    """A class with a PIL backend that does what one of `_PLAIN` does, under its name."""
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    return type(f"{name}Pil", (ViTImageProcessorPil,), dict(_PLAIN[name]))


def _no_pil(spec: str, name: str) -> ModelError:
    mend = "In a copy of the model, set image_processor_type to a PIL one with the same settings, as ViTImageProcessor"
    return ModelError(f"{spec!r}: its {name} has no PIL backend, and torchvision's bytes differ by machine", mend)


def processor_json(processor: Any) -> dict[str, Any]:
    """A processor's settings as JSON, as transformers would save them, without versions and paths."""
    settings = json.loads(processor.to_json_string(), parse_constant=str)
    return {key: value for key, value in sorted(settings.items()) if key != "processor_class"}


def translate(processor: Any, spec: str) -> tuple[InputSpec, EvalView]:
    """What a processor does, as a size in pixels, mean, std, filter and an evaluation view.

    Raises:
        ModelError: It does something that these cannot express, or its settings are not such as others have; the
            message names the setting.
    """
    try:
        return _translate(processor, spec)
    except TeachonceError:
        raise
    except Exception as error:  # settings come from a file, and each class has its own
        what = f"{type(error).__name__}: {error}"
        name = type(processor).__name__
        raise ModelError(f"{spec!r}: the settings of its {name} are not supported ({what})", _MEND) from error


def _translate(processor: Any, spec: str) -> tuple[InputSpec, EvalView]:
    extra = [key for key, on in vars(processor).items() if key.startswith("do_") and on and key not in _HARMLESS]
    if extra:
        raise ModelError(f"{spec!r}: its image processor sets {', '.join(extra)}, which is not supported", _MEND)
    view = _view(processor, spec)
    size = view.crop or view.resize
    if not isinstance(size, tuple):
        raise ModelError(f"{spec!r}: its image processor returns images of varying size (size, do_center_crop)", _MEND)
    mean, std = _normalisation(processor, spec)
    kernel = _FILTERS[Image.Resampling(2 if processor.resample is None else int(processor.resample))]
    given = InputSpec(height=size[0], width=size[1], mean=mean, std=std, filter=kernel)
    _verify(processor, given, view, spec)
    return given, view


def _view(processor: Any, spec: str) -> EvalView:
    name = type(processor).__name__
    if not processor.do_resize:
        raise ModelError(f"{spec!r}: its {name} does not resize (do_resize), which is not supported", _MEND)
    if processor.size is None:  # such as SigLIP 2's NaFlex, with as many patches as an image's shape asks for
        raise ModelError(f"{spec!r}: its {name} has no fixed size: it depends on the image", _MEND)
    size = {key: value for key, value in dict(processor.size).items() if value is not None}
    if set(size) not in ({"height", "width"}, {"shortest_edge"}):
        raise ModelError(f"{spec!r}: its image processor's size {size} is not supported", _MEND)
    _require_sides(spec, "size", size)
    short = size.get("shortest_edge")
    if name.startswith("ConvNext") and short is not None:
        return _convnext(short, processor.crop_pct)
    if name.startswith("Levit") and short is not None:
        size = {"shortest_edge": int(256 / 224 * short)}
    crop = (processor.crop_size.height, processor.crop_size.width) if processor.do_center_crop else None
    _require_sides(spec, "crop_size", dict(zip(("height", "width"), crop or (), strict=False)))
    resize = size["shortest_edge"] if "shortest_edge" in size else (size["height"], size["width"])
    if crop is not None and max(crop) > (resize if isinstance(resize, int) else min(resize)):
        raise ModelError(f"{spec!r}: its image processor pads (crop_size {crop} over size {size})", _MEND)
    return EvalView(resize=resize, crop=crop)


def _require_sides(spec: str, setting: str, sides: Mapping[str, Any]) -> None:
    """Before an image of that size is made."""
    for key, side in sides.items():
        if type(side) is not int or not 1 <= side <= _MOST_SIDE:
            what = f"its image processor's {setting} has {key} {side!r}, expected a whole number up to {_MOST_SIDE}"
            raise ModelError(f"{spec!r}: {what}", _MEND)


def _convnext(short: int, crop_pct: float) -> EvalView:
    """ConvNext's rule: from 384 px squeezed to a square, below enlarged by 1 / crop_pct and cropped."""
    if short >= 384:
        return EvalView(resize=(short, short))
    return EvalView(resize=int(short / crop_pct), crop=(short, short))


def _normalisation(processor: Any, spec: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and std for pixels in [0, 1], with the rescale factor folded in."""
    mean = _three(processor.image_mean) if processor.do_normalize else (0.0, 0.0, 0.0)
    std = _three(processor.image_std) if processor.do_normalize else (1.0, 1.0, 1.0)
    if processor.do_normalize and getattr(processor, "include_top", False):  # EfficientNet divides by std twice
        std = (std[0] ** 2, std[1] ** 2, std[2] ** 2)
    factor = 255 * (processor.rescale_factor if processor.do_rescale else 1.0)
    if not np.isfinite([*mean, *std, factor]).all() or 0 in (*std, factor):
        what = f"mean {mean}, std {std} and rescale factor {factor / 255}"
        raise ModelError(f"{spec!r}: its image processor has {what}: expected finite numbers other than 0", _MEND)
    if abs(factor - 1) < 1e-6:
        return mean, std
    return tuple(m / factor for m in mean), tuple(s / factor for s in std)  # type: ignore[return-value]


def _three(value: Any) -> tuple[float, float, float]:
    values = tuple(float(v) for v in np.broadcast_to(np.asarray(value, np.float64), (3,)))
    return values[0], values[1], values[2]


def _verify(processor: Any, given: InputSpec, view: EvalView, spec: str) -> None:
    noise = np.random.default_rng(0)
    for height, width in probe_sizes(given, view):
        image = noise.integers(0, 256, (height, width, 3), np.uint8)
        with loading(spec):
            got = processor(images=Image.fromarray(image), return_tensors="np")["pixel_values"][0]
        expected = evaluation_view(image, given, view)
        if got.shape != expected.shape or np.abs(got - expected).max() > _TOLERANCE / min(given.std):
            name = type(processor).__name__
            message = f"{spec!r}: its {name} does more than resize, crop, rescale and normalise"
            raise ModelError(f"{message}: an image of {height} x {width} is rendered differently", _MEND)


def probe_sizes(given: InputSpec, view: EvalView) -> list[tuple[int, int]]:
    """Heights and widths of images on which processors of one JSON may part.

    Larger and smaller than the input, wide, tall (which Pillow 13 resizes across the lines first), twice the resized
    image, where the centres that `nearest` takes lie between pixels, and with crops that leave an odd number of pixels.
    """
    longest = max(given.height, given.width)
    tall, wide = view.resized(longest, longest)
    sizes = [*_PROBES, (5 * tall, 2 * wide), (longest + longest // 4, 2 * longest + 1)]
    sizes += [(2 * tall, 2 * wide), (max(2, longest // 2), max(3, longest // 3)), (tall, wide)]
    if view.crop is not None:
        crop = view.crop
        odd = ((61, side) for side in range(62, 124) if (view.resized(61, side)[1] - crop[1]) % 2)
        high = ((side, 61) for side in range(62, 124) if (view.resized(side, 61)[0] - crop[0]) % 2)
        sizes += [size for size in (next(odd, None), next(high, None)) if size is not None]
    return sizes


def squeezing_processor(given: InputSpec) -> dict[str, Any]:
    """The JSON of a transformers image processor that squeezes the whole image to an input, then normalises."""
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": given.height, "width": given.width},
        "resample": int(next(key for key, name in _FILTERS.items() if name == given.filter)),
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(given.mean),
        "image_std": list(given.std),
    }


def plain_processor(given: InputSpec, view: EvalView) -> dict[str, Any]:
    """The processor JSON of a network of ours."""
    return {"image_processor_type": "teachonce", "input": to_json(given), "view": to_json(view)}

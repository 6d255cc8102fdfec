"""What is done to images that pipelines treat otherwise: told by whoever decodes them, and what the others do."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imagekit import encode, photo, write_images
from PIL import Image

from teachonce.data import workers
from teachonce.data.decode import DEEP, TRANSPARENT, decode_treated, rgb_array
from teachonce.data.open import open_samples
from teachonce.data.workers import decode_rows

GREY = np.linspace(0, 65535, 12 * 9).astype(np.uint16).reshape(12, 9)


def picture(mode: str) -> Image.Image:
    image = Image.fromarray(photo(12, 9))
    if mode in ("RGBA", "LA"):
        image = image.convert(mode)
        image.putalpha(Image.fromarray((GREY // 257).astype(np.uint8)))
        return image
    if mode == "P":
        image = image.convert("P")
        image.info["transparency"] = image.getpixel((0, 0))
        return image
    if mode == "F":
        return Image.fromarray(GREY.astype(np.float32) / 257)
    if mode in ("I;16", "I"):
        return Image.fromarray(GREY.astype({"I;16": np.uint16, "I": np.int32}[mode]))
    return image.convert(mode)


EXPECTED = {"RGBA": TRANSPARENT, "LA": TRANSPARENT, "P": TRANSPARENT, "I;16": DEEP, "F": DEEP, "RGB": 0, "L": 0, "1": 0}


def file(mode: str) -> bytes:
    image = picture(mode)
    form = "TIFF" if mode == "F" else "PNG"
    return encode(image, form, **({"transparency": image.info["transparency"]} if mode == "P" else {}))


@pytest.mark.parametrize("mode", EXPECTED)
def test_the_decoder_says_what_it_did(mode: str):
    pixels, treated = decode_treated(file(mode))
    assert treated == EXPECTED[mode]
    assert pixels.shape == (12, 9, 3)


@pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])
def test_workers_say_it_too(processes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "_WORTH_PROCESSES", 0 if processes else 1 << 30)
    samples = open_samples(write_images(tmp_path / "d.parquet", [file(mode) for mode in EXPECTED] + [b"no image"]))
    with closing(decode_rows(samples, [np.arange(9)], workers=2, pixels=100)) as results:
        (rows,) = list(results)
    assert [row.treated for row in rows] == [*EXPECTED.values(), 0]


def processed(image: Image.Image) -> np.ndarray:
    """What the processor of a CLIP makes of an image before it resizes."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    off: dict[str, Any] = dict.fromkeys(("do_resize", "do_center_crop", "do_rescale", "do_normalize"), False)
    pixels: np.ndarray = CLIPImageProcessorPil(do_convert_rgb=True, **off)(image, return_tensors="np")["pixel_values"]
    return pixels[0].transpose(1, 2, 0)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_a_processor_that_converts_puts_transparency_on_white_and_pil_shows_what_lies_under_it(mode: str):
    image = picture(mode)
    assert (rgb_array(image) == processed(image)).all()
    assert (rgb_array(image) != np.asarray(image.convert("RGB"))).any()


@pytest.mark.parametrize("mode", ["I;16", "I"])
def test_a_processor_clips_deep_grey_that_we_scale(mode: str):
    image, clipped = picture(mode), np.minimum(GREY, 255)[..., None]
    assert (processed(image) == clipped).all()
    assert (rgb_array(image) == np.rint(GREY / 257)[..., None]).all()

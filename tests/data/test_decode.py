import warnings
from contextlib import suppress

import numpy as np
import pytest
from imagekit import encode, noise, photo
from PIL import Image

from teachonce.data.decode import DecodeError, decode_image, image_size


def code_of(data: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        decode_image(data)
    return caught.value.code


def test_rgb_comes_as_it_is():
    image = noise()
    decoded = decode_image(encode(image))
    assert decoded.dtype == np.uint8
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable
    assert (decoded == image).all()
    assert (decode_image(memoryview(encode(image))) == image).all()


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "HSV"])
def test_other_modes_are_what_pil_converts_them_to(mode: str):
    picture = Image.fromarray(photo(16, 20)).convert(mode)
    expected = np.asarray(picture.convert("RGB"))
    form = {"CMYK": "TIFF", "YCbCr": "TIFF", "HSV": None}.get(mode, "PNG")
    if form is not None:
        assert (decode_image(encode(picture, form)) == expected).all()


def test_sixteen_bits_are_scaled_not_clipped():
    grey = np.arange(0, 65536, 257, dtype=np.uint16)[:256].reshape(16, 16)
    decoded = decode_image(encode(Image.fromarray(grey), "PNG"))
    assert decoded.shape == (16, 16, 3)
    assert (decoded == (grey / 257).round().astype(np.uint8)[..., None]).all()


def test_floats_are_shares_or_levels():
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    expected = np.rint(values * 255).astype(np.uint8)[..., None]
    assert (decode_image(encode(Image.fromarray(values), "TIFF")) == expected).all()
    assert (decode_image(encode(Image.fromarray(values * 255), "TIFF")) == expected).all()


def test_transparency_is_composited_on_white():
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[:, 3:, 3] = 255
    decoded = decode_image(encode(Image.fromarray(pixels)))
    assert (decoded[:, :3] == 255).all()
    assert (decoded[:, 3:] == 0).all()


def test_a_transparent_palette_is_composited_on_white():
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((0, 0), 1)
    decoded = decode_image(encode(picture, "PNG", transparency=0))
    assert decoded[0, 0].tolist() == [40, 50, 60]
    assert (decoded[1:] == 255).all()


def test_orientation_is_applied_as_datasets_does():
    import datasets

    picture = Image.fromarray(photo(16, 24))
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(picture, "JPEG", exif=exif)
    theirs = datasets.Image().decode_example({"bytes": data, "path": None})
    assert (decode_image(data) == np.asarray(theirs)).all()
    assert decode_image(data).shape[:2] == image_size(data) == (24, 16)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_a_truncated_image_says_so(form: str):
    data = encode(photo(40, 60), form)
    for kept in (len(data) // 2, len(data) * 3 // 4):
        assert code_of(data[:kept]) == "truncated"


def test_a_header_gives_the_size_of_a_truncated_image():
    data = encode(photo(40, 60), "JPEG")
    assert image_size(data[: len(data) * 3 // 4]) == (40, 60)
    with pytest.raises(DecodeError):
        image_size(data[:4])


@pytest.mark.parametrize(
    ("data", "code"), [(b"", "missing"), (b"no image", "not-an-image"), (bytes(64), "not-an-image")]
)
def test_other_bytes_have_their_codes(data: bytes, code: str):
    assert code_of(data) == code


def test_too_many_pixels_have_their_code(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert code_of(encode(noise(30, 30))) == "too-large"


def test_what_is_decoded_does_not_depend_on_filters_of_warnings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)  # of 900 pixels PIL warns
    decoded = []
    for action in ("ignore", "error"):
        with warnings.catch_warnings():
            warnings.simplefilter(action)
            decoded.append(decode_image(encode(noise(30, 30))))
    assert np.array_equal(*decoded)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_damaged_bytes_never_raise_anything_else(form: str):
    data = encode(photo(20, 30), form)
    generator = np.random.default_rng(1)
    for _ in range(60):
        broken = bytearray(data)
        for place in generator.integers(0, len(broken), 4):
            broken[place] = generator.integers(256)
        for read in (decode_image, image_size):
            with suppress(DecodeError):
                read(bytes(broken))

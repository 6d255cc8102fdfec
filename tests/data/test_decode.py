import itertools
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from imagekit import encode, noise, photo
from PIL import Image

from teachonce.data.decode import DecodeError, decode_image, image_size
from teachonce.data.open import open_samples
from teachonce.data.resident import open_images
from teachonce.data.views import eval_views
from teachonce.types import EvalView, InputSpec


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


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description tiff:Orientation="{}" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"/></rdf:RDF></x:xmpmeta>'
)
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F")
FORMS = (
    "JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "ICO", "JPEG2000", "MPO", "PCX", "PPM", "TGA", "SGI", "DDS",
    "MSP", "SPIDER", "XBM", "DIB",
)  # fmt: skip


def saved_as(form: str, mode: str, size: tuple[int, int], orientation: int, how: str) -> bytes | None:
    """An image file, turned by EXIF or XMP, or the first of several frames; None where the format cannot hold it."""
    grey = np.random.default_rng(0).integers(0, 65536, size, dtype=np.uint16)
    picture = Image.fromarray(grey) if mode == "I;16" else Image.fromarray(noise(*size)).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"xmp": XMP.format(orientation).encode()} if how == "xmp" else {"exif": exif}
    if how == "frames":
        options |= {"save_all": True, "append_images": [picture.resize((5, 4))]}
    try:
        return encode(picture, form, **options)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError):
        return None


@pytest.mark.parametrize("form", FORMS)
def test_the_header_tells_the_size_that_decoding_gives(form: str):
    import datasets

    checked = 0
    for mode, size, how in itertools.product(MODES, ((13, 7), (20, 32)), ("exif", "xmp", "frames")):
        for orientation in (1, 3, 6, 8) if how == "frames" else range(1, 9):
            data = saved_as(form, mode, size, orientation, how)
            if data is None:
                break
            with suppress(DecodeError):  # PIL writes some that it cannot read
                decoded = decode_image(data).shape[:2]
                assert image_size(data) == decoded, (mode, size, how, orientation)
                theirs = datasets.Image().decode_example({"bytes": data, "path": None})
                assert decoded == (theirs.height, theirs.width), (mode, size, how, orientation)
                checked += 1
    assert checked


def test_an_icon_of_several_sizes_is_as_large_as_it_is_decoded():
    data = encode(photo(64, 64), "ICO", sizes=[(16, 16), (48, 48), (32, 32)])
    assert image_size(data) == decode_image(data).shape[:2] == (48, 48)


@pytest.mark.parametrize("form", ["TIFF", "JPEG", "PNG", "WEBP", "ICO"])
def test_a_view_does_not_depend_on_whether_images_fit_in_memory(tmp_path: Path, form: str):
    for row, orientation in enumerate((1, 6, 8, 3, 5)):
        data = saved_as(form, "RGB", (30 + row, 45), orientation, "exif")
        assert data is not None
        (tmp_path / f"{row}.{form.lower()}").write_bytes(data)
    samples = open_samples(f"folder:{tmp_path}")
    kept, streamed = (open_images(samples, device="cpu", workers=0, budget_bytes=size) for size in (1 << 30, 0))
    assert (kept.resident, streamed.resident) == (True, False)
    assert (kept.sizes == streamed.sizes).all()
    rows, view, spec = np.arange(5), EvalView(resize=24, crop=(20, 20)), InputSpec(height=20, width=20)
    shown = [source.batch(rows, eval_views(source.sizes, view)[:, 0], spec)[0] for source in (kept, streamed)]
    assert (shown[0] == shown[1]).all()


@pytest.mark.parametrize(
    "values",
    [
        np.array([[0.0, 300.0]], np.float32),
        np.array([[-0.5, 0.5]], np.float32),
        np.array([[np.nan, 0.5]], np.float32),
        np.array([[np.inf, 0.5]], np.float32),
        np.array([[0, 70000]], np.int32),
        np.array([[-1, 255]], np.int32),
    ],
)
def test_values_of_no_known_scale_are_refused(values: np.ndarray):
    data = encode(Image.fromarray(values), "TIFF")
    assert code_of(data) == "value-range"
    assert image_size(data) == (1, 2)

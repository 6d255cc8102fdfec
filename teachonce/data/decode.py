"""From the bytes of an image file to RGB pixels, or to a fixed code that says why not. PIL and NumPy only.

The rules are those of the usual pipelines: EXIF orientation is applied, as `datasets.Image` does; transparency is
composited on white, as the image processors of transformers do; 16-bit grey is scaled to 8 bits. Grey of 32 bits is
taken as 0..65535, of floats as 0..1 or 0..255; other values are refused (`value-range`), for no scale is known.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from teachonce.processwide import ignore_warnings_of_pil

TRUNCATED, NOT_AN_IMAGE, MISSING, TOO_LARGE, DAMAGED = "truncated", "not-an-image", "missing", "too-large", "damaged"
VALUE_RANGE = "value-range"
CODES = (TRUNCATED, NOT_AN_IMAGE, MISSING, TOO_LARGE, DAMAGED, VALUE_RANGE)

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
_ORIENTATION, _WIDTH, _HEIGHT = 0x0112, 0x0100, 0x0101
_TOLD_BY_HEADER = frozenset(
    {"JPEG", "MPO", "PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "PPM", "JPEG2000", "PCX", "TGA", "SGI", "AVIF"}
)
"""Formats whose images are as large when loaded as when opened; an ICO or an EPS, say, is not."""
# What PIL's plugins let through on bad bytes: each parses in its own way.
_BAD_BYTES = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, ArithmeticError, AttributeError, RuntimeError,
    struct.error, zlib.error, Warning,
)  # fmt: skip
_TOO_LARGE = (Image.DecompressionBombError, MemoryError)


TRANSPARENT, DEEP = 1, 2
"""What was done to an image that not every pipeline does: transparency put on white, grey above 8 bits scaled."""


class DecodeError(Exception):
    """A sample that gives no image; `code` is one of CODES, the only thing about it that a store keeps."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def decode_image(data: bytes | memoryview) -> np.ndarray:
    """Decode an image file.

    Args:
        data: The file's bytes, in any format PIL reads.

    Returns:
        uint8 (H, W, 3), C-contiguous RGB.

    Raises:
        DecodeError: The bytes are cut short, damaged, too many pixels, or no image, or its values have no known scale.
    """
    return decode_treated(data)[0]


def decode_treated(data: bytes | memoryview) -> tuple[np.ndarray, int]:
    """As `decode_image`, and what was done to the image: TRANSPARENT, DEEP, or 0.

    Raises:
        DecodeError: See `decode_image`.
    """
    try:
        image = upright(_open(data))
        return rgb_array(image), treatment(image)
    except _TOO_LARGE:
        raise DecodeError(TOO_LARGE) from None
    except _BAD_BYTES as error:
        raise DecodeError(_reason(data, error)) from None


def image_size(data: bytes | memoryview) -> tuple[int, int]:
    """Height and width in pixels as the decoded image has them: from the file's header alone, where that tells.

    Raises:
        DecodeError: The header cannot be read; the pixels may still fail.
    """
    try:
        image = _open(data)
        if image.format not in _TOLD_BY_HEADER:
            return rgb_array(upright(image)).shape[:2]
        width, height = image.size
        if image.format == "TIFF":  # PIL swaps the size of a turned one when it opens it, or when it loads it
            tags = image.tag_v2  # type: ignore[attr-defined]
            width, height = int(tags[_WIDTH]), int(tags[_HEIGHT])
        turned = _orientation(image) in (5, 6, 7, 8)
    except _TOO_LARGE:
        raise DecodeError(TOO_LARGE) from None
    except _BAD_BYTES as error:
        raise DecodeError(_reason(data, error)) from None
    return (width, height) if turned else (height, width)


def rgb_array(image: Image.Image) -> np.ndarray:
    """The pixels of a PIL image of any mode as uint8 (H, W, 3): transparency on white, 16-bit grey scaled to 8 bits.

    Raises:
        DecodeError: Grey of 32 bits whose values are not in a known range.
    """
    if treatment(image) == DEEP:
        return np.repeat(_eight_bits(np.asarray(image))[:, :, None], 3, axis=2)
    if treatment(image) == TRANSPARENT:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    if image.mode != "RGB":
        image = image.convert("RGB")
    return np.array(image)  # a copy of our own: PIL's buffer is read-only


def treatment(image: Image.Image) -> int:
    """What `rgb_array` does to an image that not every pipeline does: TRANSPARENT, DEEP, or 0."""
    if image.mode.startswith(("I", "F")):
        return DEEP
    return TRANSPARENT if "A" in image.getbands() or image.info.get("transparency") is not None else 0


def _open(data: bytes | memoryview) -> Image.Image:
    if not data:
        raise DecodeError(MISSING)
    ignore_warnings_of_pil()
    return Image.open(io.BytesIO(data))


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF says; itself where that says nothing."""
    image.load()
    return ImageOps.exif_transpose(image) if _orientation(image) else image


def _orientation(image: Image.Image) -> int | None:
    # Where nothing can tell of it, asking PIL costs as much as decoding a small image; XMP may, too.
    if image.format in ("JPEG", "BMP", "GIF") and not {"exif", "xmp"} & image.info.keys():
        return None
    orientation: int | None = image.getexif().get(_ORIENTATION)
    return orientation


def _eight_bits(grey: np.ndarray) -> np.ndarray:
    """Grey of 16 or 32 bits per pixel to uint8: integers from 0..65535, floats from 0..1 or 0..255 as they come."""
    real = grey.dtype.kind == "f"
    low, high = float(grey.min()), float(grey.max())
    if not (low >= 0 and high <= (255 if real else 65535)):  # NaN is neither
        raise DecodeError(VALUE_RANGE)
    values = grey if real and high > 1 else grey * 255.0 if real else grey / 257
    return np.rint(values).astype(np.uint8)


def _reason(data: bytes | memoryview, error: Exception) -> str:
    head, text = bytes(data[:12]), str(error).lower()
    if isinstance(error, EOFError) or any(word in text for word in ("truncated", "unexpected end", "incomplete")):
        return TRUNCATED
    if head.startswith(b"RIFF") and len(data) < int.from_bytes(head[4:8], "little") + 8:
        return TRUNCATED  # WebP says only that it cannot decode
    if isinstance(error, UnidentifiedImageError):
        return TRUNCATED if head.startswith(_SIGNATURES) or head[4:8] == b"ftyp" else NOT_AN_IMAGE
    return DAMAGED

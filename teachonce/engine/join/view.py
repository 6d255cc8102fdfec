"""A stored view of an image, drawn as the teacher saw it, at any size."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from teachonce.cache import Store
from teachonce.data.decode import DecodeError, decode_image, rgb_array, upright
from teachonce.data.pil import render_image
from teachonce.data.render import normalise
from teachonce.data.torchsets import as_rgb
from teachonce.digests import digest_array, digest_bytes
from teachonce.errors import CorruptError, DataError, InputError, MismatchError, StoreMissingError
from teachonce.types import Identity, InputSpec

Picture = Image.Image | np.ndarray | Tensor | bytes | memoryview
"""An image file's bytes, a PIL image, or uint8 (H, W, 3)."""


def teacher_input(store: Store, targets: tuple[str, ...]) -> InputSpec:
    """What the teacher of these targets takes; an RDM's teacher is that of the target it was made from.

    Raises:
        StoreMissingError: No target says it.
        CorruptError: What it says is no input.
    """
    for name in targets:
        record = store.record(name)
        parent = record.fingerprint_fields.get("parent")
        if isinstance(parent, Mapping):
            record = store.record(str(parent.get("name")))
        found = record.attributes.get("input")
        if isinstance(found, Mapping):
            try:
                return InputSpec.from_json(found)
            except TypeError as error:
                raise CorruptError(f"target {name!r} of {store.path}: its input is {found}") from error
    names = ", ".join(targets)
    raise StoreMissingError(f"{store.path} does not say what the teacher of {names} takes", "Name its target too")


def as_pixels(image: Picture, identity: Identity) -> np.ndarray:
    """The pixels as they were when the store was made: uint8 (H, W, 3).

    Of an image file, transparency is put on white, and a PIL image is turned upright as its EXIF says.

    Raises:
        DataError: Something else than an image of 8 bits a channel.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        try:
            return decode_image(image)
        except DecodeError as error:
            raise DataError(f"expected the bytes of an image file, got {len(image)} bytes ({error.code})") from None
    if isinstance(image, Image.Image) and identity != "array":
        return rgb_array(upright(image))
    return as_rgb(image, 0)


def refuse_other(image: Picture, store: Store, row: int, digest: int) -> None:
    """Refuse an image that is not the row's, where it can be told: a PIL image of a file no longer has its bytes.

    Raises:
        MismatchError: It is another.
    """
    identity = store.spec.identity
    is_file = isinstance(image, bytes | bytearray | memoryview)
    if identity == "encoded" and is_file:
        got = digest_bytes(memoryview(image))  # type: ignore[arg-type]
    elif identity == "array" and not is_file:
        got = digest_array(as_rgb(image, row))
    else:
        return
    if got != digest:
        raise MismatchError(f"the image is not that of row {row} of {store.path}", "Find its row with rows_of")


def draw(pixels: np.ndarray, params: np.ndarray, spec: InputSpec) -> Tensor:
    """A view as a model's input: float32 (3, height, width), normalised, on the host.

    Args:
        pixels: uint8 (H, W, 3).
        params: float32 (6,).
        spec: Size, filter, mean and std.
    """
    return normalise(torch.from_numpy(render_image(pixels, params, spec))[None], spec)[0]


def resized(spec: InputSpec, size: int | tuple[int, int] | None, **changed: Any) -> InputSpec:
    """The input of a model that takes another size: one number is both, a pair is height and width.

    Raises:
        InputError: No positive whole numbers.
    """
    wanted = (spec.height, spec.width) if size is None else size
    height, width = pair = wanted if isinstance(wanted, tuple | list) and len(wanted) == 2 else (wanted, wanted)
    if not all(isinstance(number, int | np.integer) and number > 0 for number in pair):
        raise InputError(f"expected a size in pixels, got {size}", "Give a positive number, or (height, width)")
    kept: dict[str, Any] = {key: tuple(map(float, value)) for key, value in changed.items() if value is not None}
    return replace(spec, height=int(height), width=int(width), **kept)

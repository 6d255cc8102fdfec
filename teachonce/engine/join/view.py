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
from teachonce.engine.join.values import as_buffer, as_channels, as_size
from teachonce.errors import DataError, MismatchError, StoreMissingError
from teachonce.fsio import COPY
from teachonce.records import parse
from teachonce.types import Identity, InputSpec, Resizing

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
            return parse(InputSpec, found, f"the input of target {name!r} of {store.path}", mend=COPY)
    names = ", ".join(targets)
    raise StoreMissingError(f"{store.path} does not record the input of the teacher of {names}", "Name its target too")


def as_pixels(image: Picture, identity: Identity) -> np.ndarray:
    """The pixels as they were when the store was made: uint8 (H, W, 3).

    Of an image file, transparency is put on white, and a PIL image is turned upright as its EXIF says.

    Raises:
        DataError: Something else than an image of 8 bits a channel.
    """
    if isinstance(image, bytes | bytearray | memoryview):
        try:
            return decode_image(as_buffer(image))
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
    if isinstance(image, bytes | bytearray | memoryview):
        if identity != "encoded":
            return
        got = digest_bytes(as_buffer(image))
    elif identity == "array":
        got = digest_array(as_rgb(image, row))
    else:
        return
    if got != digest:
        raise MismatchError(f"the image is not that of row {row} of {store.path}", "Find its row with rows_of")


def draw(pixels: np.ndarray, params: np.ndarray, spec: InputSpec, rule: Resizing) -> Tensor:
    """A view as a model's input: float32 (3, height, width), normalised, on the host.

    Args:
        pixels: uint8 (H, W, 3).
        params: float32 (6,).
        spec: Size, filter, mean and std.
        rule: The store's.
    """
    return normalise(torch.from_numpy(render_image(pixels, params, spec, rule))[None], spec)[0]


def resized(spec: InputSpec, size: Any, *, mean: Any, std: Any) -> InputSpec:
    """The input of a model that takes another size, or other numbers: None leaves the teacher's.

    Raises:
        InputError: The size is no whole numbers in range; mean or std are no three finite numbers, or std not positive.
    """
    height, width = (spec.height, spec.width) if size is None else as_size(size)
    mean = spec.mean if mean is None else as_channels(mean, "mean")
    std = spec.std if std is None else as_channels(std, "std", positive=True)
    return replace(spec, height=height, width=width, mean=mean, std=std)

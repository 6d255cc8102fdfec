"""`teacher.view` draws what the teacher saw: fed to the teacher, it gives the stored embedding again."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import teachonce
from teachonce.data.decode import decode_image
from teachonce.data.open import open_samples
from teachonce.data.quiet import quiet
from teachonce.data.render import render
from teachonce.data.samples import ArraySamples
from teachonce.errors import DataError, FailedSamplesError, InputError, MismatchError, StoreMissingError
from teachonce.models import Teacher, load_teacher
from teachonce.records import to_json
from teachonce.types import InputSpec
from tests.data.imagekit import encode, noise, photo, write_images
from tests.engine.joinkit import make_store

ROWS = 12


def picture(row: int) -> Image.Image:
    """Of several sizes, some turned by their EXIF, some see-through."""
    image = Image.fromarray(photo(30 + row, 44 - row, row))
    if row % 4 == 2:
        image.putalpha(Image.fromarray(noise(30 + row, 44 - row, row)[:, :, 0]))
    return image


def file(row: int) -> bytes:
    exif = Image.Exif()
    if row % 4 == 1:
        exif[0x0112] = 6
    return encode(picture(row), "PNG", exif=exif)


FILES = [file(row) for row in range(ROWS)]


def model() -> Teacher:
    return load_teacher("vit:patch=8,width=32,layers=2,heads=2", image_size=24, classes=3, seed=0)


@pytest.fixture(scope="module", params=[1, 3], ids=["evaluation-view", "three-views"])
def place(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path_factory.mktemp("view")
    with pytest.MonkeyPatch.context() as patch, quiet():
        patch.setattr(os, "fsync", lambda descriptor: None)
        data = open_samples(write_images(folder / "data.parquet", [*FILES, b"no image"]), cache_dir=folder)
        augment = "crop=0.4,flip" if request.param > 1 else None
        teachonce.embed(
            teacher=model(), data=data, store=folder / "s.zarr", dtype="float32", views=request.param, augment=augment,
            device="cpu", workers=0, max_failed=1,
        )  # fmt: skip
    return folder / "s.zarr"


def test_the_teacher_says_of_it_what_is_stored(place: Path):
    teacher, live = teachonce.CachedTeacher(place, device="cpu"), model()
    for view in range(teacher.views):
        pixels = torch.stack([teacher.view(FILES[row], row, view) for row in range(ROWS)])
        assert (pixels.dtype, pixels.shape) == (torch.float32, (ROWS, 3, 24, 24))
        with torch.inference_mode():
            signal = live(pixels)
        stored = teacher(range(ROWS), view)
        torch.testing.assert_close(stored["image_embedding"], signal["image_embedding"], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(stored["logits"], signal["logits"], rtol=1e-5, atol=1e-5)
        others = teacher(np.roll(np.arange(ROWS), 1), view)
        assert not torch.allclose(others["image_embedding"], signal["image_embedding"], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("size", [None, 16, (20, 31)])
def test_it_is_rendered_as_embed_renders_whatever_the_image_comes_as(place: Path, size: Any):
    teacher = teachonce.CachedTeacher(place, device="cpu")
    height, width = (24, 24) if size is None else (size, size) if isinstance(size, int) else size
    spec = InputSpec(height=height, width=width)
    params = teacher.store.view_params()
    for row in range(ROWS):
        array, view = decode_image(FILES[row]), teacher.views - 1
        wanted = render(torch.from_numpy(array)[None], params[row, view][None], spec)[0]
        opened = Image.open(io.BytesIO(FILES[row]))
        for image in (
            FILES[row],
            memoryview(FILES[row]),
            opened,
            Image.fromarray(array),
            array,
            torch.from_numpy(array),
        ):
            assert torch.equal(teacher.view(image, row, view, size=size), wanted)
        if row % 4 != 2:  # as torchvision opens it; transparency would be lost
            assert torch.equal(teacher.view(opened.convert("RGB"), row, view, size=size), wanted)


def test_a_students_own_normalisation(place: Path):
    teacher = teachonce.CachedTeacher(place, device="cpu")
    usual = teacher.view(FILES[0], 0)
    other = teacher.view(FILES[0], torch.tensor(0), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    torch.testing.assert_close(usual * 0.5 + 0.5, other)


def test_another_image_is_refused_where_it_can_be_told(place: Path, tmp_path: Path):
    teacher = teachonce.CachedTeacher(place, device="cpu")
    with pytest.raises(MismatchError):
        teacher.view(FILES[1], 0)
    images = [noise(20, 20, seed) for seed in range(3)]
    data = ArraySamples(images)
    teachonce.embed(teacher=model(), data=data, store=tmp_path / "a.zarr", device="cpu", workers=0)
    arrays = teachonce.CachedTeacher(tmp_path / "a.zarr", device="cpu")
    wanted = arrays.view(images[2], 2)
    assert torch.equal(arrays.view(Image.fromarray(images[2]), 2), wanted)
    for other in (images[1], Image.fromarray(images[1])):
        with pytest.raises(MismatchError):
            arrays.view(other, 2)


def test_what_has_no_view(place: Path, tmp_path: Path):
    teacher = teachonce.CachedTeacher(place, device="cpu")
    for row, view in ((ROWS + 1, 0), (-1, 0), (0, 3), (0, -1)):
        with pytest.raises(InputError):
            teacher.view(FILES[0], row, view)
    for size in (0, (3, -1)):
        with pytest.raises(InputError):
            teacher.view(FILES[0], 0, size=size)
    with pytest.raises(FailedSamplesError):
        teacher.view(b"no image", ROWS)
    with pytest.raises(DataError):
        teacher.view(np.zeros((4, 4, 3), np.float32), 0)
    keyed = teachonce.CachedTeacher(make_store(tmp_path / "k.zarr", [b"a"], identity="key").path, device="cpu")
    with pytest.raises(DataError):
        keyed.view(b"no image", 0)


def test_an_rdms_teacher_is_its_parents(tmp_path: Path):
    """The store holds two teachers that take images of other sizes."""
    info = {"large": {"input": to_json(InputSpec(height=32, width=32))}}
    info |= {"small": {"input": to_json(InputSpec(height=9, width=9))}, "rdm-1": {}, "made": {}}
    fingerprints = {"rdm-1": {"parent": {"name": "small"}}}
    place = make_store(tmp_path / "s.zarr", FILES, targets=tuple(info), info=info, fingerprints=fingerprints).path
    assert teachonce.CachedTeacher(place, targets="rdm-1", device="cpu").view(FILES[0], 0).shape == (3, 9, 9)
    assert teachonce.CachedTeacher(place, targets=("large", "small")).view(FILES[0], 0).shape == (3, 32, 32)
    with pytest.raises(StoreMissingError):
        teachonce.CachedTeacher(place, targets="made", device="cpu").view(FILES[0], 0)

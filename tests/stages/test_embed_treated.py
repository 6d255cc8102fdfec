"""embed says once how many images it decoded otherwise than many pipelines; its bytes depend on no worker."""

from pathlib import Path

import numpy as np
import pytest
from embedding import Heard, options, snapshot, teacher
from PIL import Image

from teachonce.data.open import open_samples
from teachonce.stages.embed import embed
from tests.data.imagekit import encode, noise, write_images

ROWS = 70


def file(row: int) -> bytes:
    image = Image.fromarray(noise(12, 10, row))
    if row % 10 == 3:
        image.putalpha(Image.fromarray(noise(12, 10, row)[:, :, 0]))
    if row % 35 == 4:
        image = Image.fromarray(np.full((12, 10), 1000 * row, np.uint16))
    return encode(image)


@pytest.mark.parametrize("kinds", [True, False], ids=["some", "none"])
def test_the_log_counts_them_once(kinds: bool, tmp_path: Path):
    files = [file(row) if kinds else encode(noise(12, 10, row)) for row in range(ROWS)]
    samples, heard = open_samples(write_images(tmp_path / "d.parquet", [*files])), Heard()
    embed(teacher=teacher(), data=samples, events=heard, **options(tmp_path / "a.zarr"))
    told = [text for text in heard.infos if "of 70 images" in text]
    assert [text.split()[0] for text in told] == (["7", "2"] if kinds else [])
    embed(teacher=teacher(), data=samples, **options(tmp_path / "b.zarr", workers=2))
    assert snapshot(tmp_path / "a.zarr") == snapshot(tmp_path / "b.zarr")

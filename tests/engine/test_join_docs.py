"""docs/own-loop.md: its code runs as it stands, and its ways are those there are."""

import importlib.util
import os
import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import teachonce
from teachonce.engine.join.identities import FITTING
from tests.data.imagekit import photo
from tests.engine.joinkit import FileItems, ImageFolder

PAGE = (Path(__file__).parents[2] / "docs" / "own-loop.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def to_pixels(image: object) -> torch.Tensor:
    return torch.zeros(3, 8, 8)


@pytest.fixture
def flowers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of images and a store of it, where the page's code runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    for i in range(40):
        place = tmp_path / "flowers" / "train" / "ab"[i % 2] / f"{i}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo(20, 24, i)).save(place)
    common = {"data": "folder:flowers", "store": "flowers.zarr", "device": "cpu", "workers": 0, "image_size": 16}
    teachonce.embed(teacher="vit:patch=8,width=16,layers=1,heads=2", views=2, augment="crop=0.5,flip", **common)
    teachonce.embed(teacher="cnn-2", name="assistant", **common)
    return tmp_path


def test_the_code_runs(flowers: Path, capsys: pytest.CaptureFixture[str]):
    names = {"MyDataset": FileItems, "to_pixels": to_pixels, "ImageFolder": ImageFolder}
    for block in BLOCKS:
        code = block if importlib.util.find_spec("torchvision") else re.sub(r"from torchvision.*\n", "", block)
        exec(code, names)
    out = capsys.readouterr().out
    assert "'assistant/logits'" in out
    assert "40 of 40" in out
    assert len(names["joined"]) == 40
    assert names["view"].tolist() == [1] * len(names["view"])
    assert isinstance(names["loader"], DataLoader)
    assert names["targets"]["logits"].shape == (8, 2)
    torch.testing.assert_close(names["targets"], names["teacher"](names["rows"], 1))


def test_every_way_is_named():
    ways = {way for fitting in FITTING.values() for way in fitting}
    assert not [way for way in ways if f"`{way}=`" not in PAGE]
    assert not [kind for kind in FITTING if f"| `{kind}` |" not in PAGE]

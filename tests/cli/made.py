"""Small data and small networks that command lines can name."""

import time
from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from teachonce.types import InputSpec

NAMES = ("ant", "bee", "cat")
ROWS = 90


class Tiny(nn.Module):
    """A linear embedding of 8 x 8 pixels and a linear head: enough to be a teacher and a student."""

    input = InputSpec(height=8, width=8)

    def __init__(self, classes: int, factor: float = 1.0, width: int = 6) -> None:
        super().__init__()
        self.embedding_dim = width
        self.body = nn.Linear(3 * 8 * 8, width)
        self.classifier = nn.Linear(self.embedding_dim, classes)
        self.body.weight.data.mul_(factor)

    def embed(self, pixels: Tensor) -> Tensor:
        return self.body(pixels.flatten(1))

    def head(self, embedding: Tensor) -> Tensor:
        return self.classifier(embedding)


def tiny(classes: int, image_size: int | None) -> Tiny:
    return Tiny(classes)


def another(classes: int, image_size: int | None) -> Tiny:
    """Other weights than tiny's."""
    return Tiny(classes, 0.5)


def seven(classes: int, image_size: int | None) -> Tiny:
    return Tiny(7)


def large(classes: int, image_size: int | None) -> Tiny:
    """Finite in float32, infinite in float16."""
    return Tiny(classes, 1e6)


def broken(classes: int, image_size: int | None) -> Tiny:
    model = Tiny(classes)
    model.body.weight.data[0, 0] = torch.inf
    return model


def wide(classes: int, image_size: int | None) -> Tiny:
    """24 KB an embedding in float32."""
    return Tiny(classes, width=6000)


class Slow(Tiny):
    """Takes a twentieth of a second a batch, so that there is time to interrupt it."""

    def embed(self, pixels: Tensor) -> Tensor:
        time.sleep(0.05)
        return super().embed(pixels)


def slow(classes: int, image_size: int | None) -> Slow:
    return Slow(classes)


def pictures(rows: int = ROWS, seed: int = 0) -> list[Image.Image]:
    """Noise, 8 x 8 pixels, brighter for each class in turn."""
    noise = np.random.default_rng(seed).integers(0, 120, (rows, 8, 8, 3))
    bright = 60 * (np.arange(rows) % len(NAMES))
    return [Image.fromarray((image + add).astype(np.uint8)) for image, add in zip(noise, bright, strict=True)]


def labels(rows: int = ROWS) -> list[int]:
    return [row % len(NAMES) for row in range(rows)]


def parquet(
    path: Path,
    images: Sequence[object],
    label: Sequence[object] | None,
    kind: object = None,
) -> str:
    """A parquet file with the columns image and label, as a dataset's name on the command line."""
    features = {"image": datasets.Image()}
    columns: dict[str, Sequence[object]] = {"image": images}
    if label is not None:
        features["label"] = kind or datasets.ClassLabel(names=list(NAMES))
        columns["label"] = label
    datasets.Dataset.from_dict(columns, datasets.Features(features)).to_parquet(path)
    return f"parquet:{path}"


def folder_of_images(path: Path, rows: int = 12, truncated: Sequence[int] = ()) -> str:
    """A folder of PNG files by class; those in `truncated` end in the middle."""
    for row, image in enumerate(pictures(rows)):
        place = path / NAMES[row % len(NAMES)] / f"{row:03d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        image.save(place)
        if row in truncated:
            place.write_bytes(place.read_bytes()[:60])
    return f"folder:{path}"


def class_label(names: Sequence[str]) -> object:
    return datasets.ClassLabel(names=list(names))


def encoder(path: Path) -> str:
    """A folder with a transformers encoder, which has no logits, and its processor."""
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    config = ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=8, patch_size=4
    )
    ViTModel(config).save_pretrained(path)
    ViTImageProcessor(size={"height": 8, "width": 8}).save_pretrained(path)
    return str(path)

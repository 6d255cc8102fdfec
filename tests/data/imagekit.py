"""Images and datasets that the tests make."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def noise(height: int = 24, width: int = 32, seed: int = 0) -> np.ndarray:
    """Random pixels: the hardest case for a resampler."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth random pixels with full contrast, as photographs have them."""
    coarse = Image.fromarray(noise(max(2, height // 8), max(2, width // 8), seed))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def encode(image: np.ndarray | Image.Image, form: str = "PNG", **options: Any) -> bytes:
    picture = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def write_parquet(path: Path, columns: dict[str, Any], features: Any = None) -> str:
    import datasets

    datasets.Dataset.from_dict(columns, features=features).to_parquet(str(path))
    return f"parquet:{path}"


def write_images(path: Path, files: list[bytes | None], labels: list[int] | None = None, classes: int = 3) -> str:
    """A parquet file in the hub's layout: `image` and, where given, `label`."""
    import datasets

    features: dict[str, Any] = {"image": datasets.Image(decode=False)}
    columns: dict[str, Any] = {"image": [None if file is None else {"bytes": file, "path": None} for file in files]}
    if labels is not None:
        features["label"] = datasets.ClassLabel(names=[f"class {index}" for index in range(classes)])
        columns["label"] = labels
    return write_parquet(path, columns, datasets.Features(features))

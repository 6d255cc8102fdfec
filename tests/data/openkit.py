"""Six images with labels, as a table, and what refusing data is."""

from pathlib import Path
from typing import Any

import datasets
import pytest
from imagekit import encode, noise

from teachonce.data.open import open_samples
from teachonce.errors import DataError

FILES = [encode(noise(seed=seed)) for seed in range(6)]
LABELS = [0, 1, 2, 0, 1, 2]


def table(**columns: Any) -> datasets.Dataset:
    return datasets.Dataset.from_dict({"image": [{"bytes": file, "path": None} for file in FILES], **columns})


def saved(path: Path, dataset: datasets.Dataset) -> str:
    dataset.cast_column("image", datasets.Image(decode=False)).to_parquet(str(path / "made.parquet"))
    return f"parquet:{path / 'made.parquet'}"


def refuse(spec: str, *words: str, error: type[Exception] = DataError, **options: Any) -> None:
    with pytest.raises(error) as caught:
        open_samples(spec, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.mend
    for word in words:
        assert word in text, (word, text)

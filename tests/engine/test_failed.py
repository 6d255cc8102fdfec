"""Failed rows: where they failed, and what they are called."""

import os
from pathlib import Path

import numpy as np
import pytest

from teachonce.data.samples import ArraySamples
from teachonce.digests import digest_array, digest_bytes
from teachonce.engine.failed import list_failed, tell_failed
from teachonce.errors import MismatchError
from teachonce.types import ArraySpec
from tests.data.imagekit import noise
from tests.engine.enginekit import add_target
from tests.engine.joinkit import make_store

CONTENTS = [f"row {row}".encode() for row in range(20)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def test_each_row_once_and_where_it_failed(tmp_path: Path):
    store = make_store(tmp_path / "s.zarr", [*CONTENTS, b""], failed={3: "truncated", 20: "missing"})
    values = {"image_embedding": np.ones((21, 1, 4), np.float32)}
    specs = {"image_embedding": ArraySpec(shape=(4,), dtype="float32")}
    add_target(store, "other", values, specs, head=None, labels=None, failed=(3, 7))
    told = [(entry["row"], entry["reason"], entry["where"], entry["content"]) for entry in list_failed(store)]
    assert told == [
        (3, "truncated", "samples", f"{digest_bytes(CONTENTS[3]):016x}"),
        (7, "damaged", "other", f"{digest_bytes(CONTENTS[7]):016x}"),
        (20, "missing", "samples", None),
    ]


class Named(ArraySamples):
    def name(self, row: int) -> str | None:
        return None if row == 1 else f"file-{row}"


def test_ten_are_told_by_name_or_content_and_the_rest_counted():
    samples = Named([noise(4, 4, row) for row in range(30)])
    text = tell_failed(samples, dict.fromkeys(range(13), "damaged"))
    assert "file-0" in text
    assert f"{digest_array(samples.images[1]):016x}" in text
    assert "file-9" in text
    assert "file-10" not in text
    assert "3 more" in text


def test_other_data_is_refused(tmp_path: Path):
    store = make_store(tmp_path / "s.zarr", CONTENTS, failed={3: "truncated"})
    with pytest.raises(MismatchError):
        list_failed(store, ArraySamples([noise(4, 4, row) for row in range(20)]))

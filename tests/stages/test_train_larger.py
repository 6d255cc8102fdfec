"""Stores larger than memory: checked behind the reader, or marked as verified; never a result on bad bytes."""

import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from trainkit import Heard, quick

from teachonce.cache.mark import mark_path
from teachonce.digests import digest_hex
from teachonce.engine import cached_target, parts
from teachonce.engine.recheck import BackgroundCheck
from teachonce.errors import CorruptError
from teachonce.stages.embed import embed

CHUNK = "targets/teacher/logits/c/2/0/0"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "s.zarr"
    embed(teacher="cnn-2", data="digits", limit=200, image_size=16, store=path, block_rows=64, device="cpu", workers=0)
    return path


@pytest.fixture
def store(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, which has no mark, on a machine without memory for it."""
    monkeypatch.setattr(parts, "available_memory", lambda: 0)
    monkeypatch.setattr(parts, "TARGET_SHARE", 0.0)
    return Path(shutil.copytree(sound, tmp_path / "s.zarr"))


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[33] ^= 4
    file.write_bytes(data)


def trained(store: Path, run: Path, **options: Any) -> str:
    quick(run, store=store, method="kd", **options)
    return digest_hex((run / "best/model.safetensors").read_bytes())


def test_the_run_says_how_many_rows_came_first(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    slow = partial(BackgroundCheck, share=1e-9)  # one chunk, then a pause
    monkeypatch.setattr(cached_target, "BackgroundCheck", slow)
    heard = Heard()
    weights = trained(store, tmp_path / "larger", events=heard)
    monkeypatch.undo()
    assert weights == trained(store, tmp_path / "fits")
    told = [re.match(r"([\d,]+) rows", info) for info in heard.infos]
    (count,) = [int(found[1].replace(",", "")) for found in told if found]
    assert 128 < count <= 400  # of two epochs of 200 rows, all but those of the chunk that was checked first


def test_with_a_mark_nothing_is_checked_again(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert mark_path(sound).is_file()  # a finished embed leaves it
    monkeypatch.setattr(parts, "available_memory", lambda: 0)
    monkeypatch.setattr(parts, "TARGET_SHARE", 0.0)
    monkeypatch.setattr("teachonce.engine.cached_target.BackgroundCheck", None)
    trained(sound, tmp_path / "run")


@pytest.mark.parametrize("epochs", [1, 3])
def test_bad_bytes_give_no_result(store: Path, sound: Path, tmp_path: Path, epochs: int):
    flip(store / CHUNK)
    run, heard = tmp_path / "run", Heard()
    with pytest.raises(CorruptError, match=CHUNK):
        trained(store, run, epochs=epochs, events=heard)
    assert not (run / "result.json").exists()
    assert not (run / "best").exists()
    assert not (run / "checkpoints").exists()
    shutil.copy(sound / CHUNK, store / CHUNK)  # mended: the same command begins anew
    assert trained(store, run, epochs=epochs) == trained(store, tmp_path / "undisturbed", epochs=epochs)

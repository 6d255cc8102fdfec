"""Full and read-only disks: injected errors, and small mounts where mounting is allowed."""

import errno
import os
import subprocess
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli import made
from tests.cli.conftest import Call
from tests.cli.words import embed_words, snapshot, train_words

Break = Callable[[int, int], None]
DiskUsage = namedtuple("DiskUsage", "total used free")


@pytest.fixture
def data(tmp_path: Path) -> str:
    return made.parquet(tmp_path / "data.parquet", made.pictures(), made.labels())


@pytest.fixture
def undisturbed(tmp_path: Path, call: Call, data: str) -> dict[str, bytes]:
    assert call(*embed_words(tmp_path / "whole.zarr", data)).code == 0
    return snapshot(tmp_path / "whole.zarr")


@pytest.fixture
def fail_at(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Let the disk fail from the n-th fsync on."""
    real, count = os.fsync, 0

    def arm(number: int, code: int) -> None:
        def fsync(descriptor: int) -> None:
            nonlocal count
            count += 1
            if count >= number:
                raise OSError(code, os.strerror(code))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)

    return arm


@pytest.mark.parametrize("number", [1, 8, 30, 45])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS], ids=["full", "read-only"])
def test_a_disk_that_fails_while_embedding(
    call: Call,
    tmp_path: Path,
    data: str,
    undisturbed: dict[str, bytes],
    fail_at: Break,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: int,
):
    path = tmp_path / "s.zarr"
    with monkeypatch.context():
        fail_at(number, code)
        error = call(*embed_words(path, data)).error
    assert error["kind"] == "disk"
    assert str(path) in error["message"]
    assert ("space" if code == errno.ENOSPC else "read-only") in error["mend"]
    assert not [name for name in snapshot(tmp_path) if ".teachonce-tmp-" in name]
    monkeypatch.undo()
    done = call(*embed_words(path, data))
    assert done.code == 0, done.out
    assert snapshot(path) == undisturbed


def test_a_disk_that_fails_while_training(
    call: Call, tmp_path: Path, data: str, fail_at: Break, monkeypatch: pytest.MonkeyPatch
):
    words = train_words(tmp_path / "run", data)
    fail_at(6, errno.ENOSPC)
    error = call(*words).error
    assert error["kind"] == "disk"
    assert "same command" in error["mend"]
    monkeypatch.undo()
    assert call(*words).code == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB, in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not permitted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


WIDE = ("--teacher", "tests.cli.made:wide")  # about 2 MB of embeddings in float32


def test_too_little_space_is_seen_before_the_start(call: Call, small_disk: Path, data: str):
    error = call(*embed_words(small_disk / "s.zarr", data, *WIDE, "--dtype", "float32")).error
    assert error["kind"] == "disk"
    assert "free" in error["message"]
    assert "--dtype" in error["mend"]
    assert snapshot(small_disk) == {}


def test_a_full_disk_then_more_space(
    call: Call, small_disk: Path, data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    wide = (*WIDE, "--dtype", "float32")
    assert call(*embed_words(tmp_path / "whole.zarr", data, *wide)).code == 0
    monkeypatch.setattr("teachonce.places.shutil.disk_usage", lambda path: DiskUsage(0, 0, 1 << 40))
    error = call(*embed_words(small_disk / "s.zarr", data, *wide)).error
    assert error["kind"] == "disk"
    assert "No space left" in error["message"]
    assert "same command" in error["mend"]
    remount(small_disk, "size=32m")
    assert call(*embed_words(small_disk / "s.zarr", data, *wide)).code == 0
    assert snapshot(small_disk / "s.zarr") == snapshot(tmp_path / "whole.zarr")


def test_a_read_only_disk(call: Call, small_disk: Path, data: str):
    remount(small_disk, "ro")
    for words in (embed_words(small_disk / "s.zarr", data), train_words(small_disk / "run", data)):
        error = call(*words).error
        assert error["kind"] == "disk"
        assert "read-only" in error["mend"]

"""Files are hashed once, it is said before and shown, and what is known of a file is void when it changes."""

import os
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import teachonce
from teachonce.digests import digest_bytes
from teachonce.engine.join.hashing import hash_files
from teachonce.engine.join.memo import Memo, beside, file_key
from teachonce.errors import MismatchError
from teachonce.events import SILENT, Silent, Task
from tests.engine.joinkit import LONG_AGO, an_hour_later, make_store, write_files

COUNT = 200
CONTENTS = {f"{i:03d}.bin": f"content {i:04d}".encode() for i in range(COUNT)}


class Heard(Silent):
    """What was said, in its order: texts, and tasks as [title, total, done]."""

    def __init__(self) -> None:
        self.said: list[str | list[object]] = []

    def info(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> Iterator[Task]:
        self.said.append([title, total, done])
        yield self

    def advance(self, amount: int = 1) -> None:
        self.said[-1][2] += amount

    def note(self, text: str) -> None: ...

    @property
    def hashed(self) -> int:
        """How many files a task was about."""
        return sum(entry[1] for entry in self.said if isinstance(entry, list))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    an_hour_later(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "s.zarr", list(CONTENTS.values())).path


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    return write_files(tmp_path / "data", CONTENTS)


def rows(store: Path, paths: list[str]) -> tuple[list[int], Heard]:
    heard = Heard()
    found = teachonce.CachedTeacher(store, device="cpu", events=heard).rows_of(files=paths)
    return found.tolist(), heard


def known(store: Path, paths: list[str]) -> int:
    """How many of the files need not be read again."""
    return sum(digest is not None for digest in Memo(store).find([file_key(path, Path(path).stat()) for path in paths]))


def test_it_is_said_before_and_shown_and_then_known(store: Path, paths: list[str]):
    found, heard = rows(store, paths)
    assert found == list(range(COUNT))
    text, task = heard.said
    assert isinstance(text, str)
    assert str(COUNT) in text
    assert task == ["hash the files", COUNT, COUNT]
    found, heard = rows(store, paths[::-1])
    assert (found, heard.said) == (list(range(COUNT))[::-1], [])
    assert known(store, paths) == COUNT


def test_a_file_that_changes_is_read_again(store: Path, paths: list[str]):
    """Also one that is as long as before and as old as before."""
    rows(store, paths)
    for path, content in ((paths[3], CONTENTS["004.bin"]), (paths[4], CONTENTS["003.bin"])):
        Path(path).write_bytes(content)
        os.utime(path, (LONG_AGO, LONG_AGO))
    assert known(store, paths) == COUNT - 2
    assert rows(store, paths)[0] == [0, 1, 2, 4, 3, *range(5, COUNT)]
    Path(paths[7]).write_bytes(b"another")
    with pytest.raises(MismatchError) as refused:
        rows(store, paths)
    assert paths[7] in refused.value.message
    assert paths[8] not in refused.value.message


def test_a_file_that_takes_the_place_of_another_is_read(store: Path, paths: list[str]):
    rows(store, paths)
    Path(paths[0]).rename(f"{paths[0]}.old")
    Path(paths[1]).rename(paths[0])
    Path(f"{paths[0]}.old").rename(paths[1])
    assert rows(store, paths)[0] == [1, 0, *range(2, COUNT)]


@pytest.mark.parametrize(("modified", "seconds"), [(LONG_AGO, 1), (2**32, 3600)], ids=["put-back", "to-come"])
def test_what_has_just_been_written_is_not_kept(
    store: Path, paths: list[str], monkeypatch: pytest.MonkeyPatch, modified: int, seconds: int
):
    """Also one whose time was put back: where the clock is coarse, all times of the next such write may be equal."""
    for path in paths:
        os.utime(path, (modified, modified))
    now = max(Path(path).stat().st_ctime_ns for path in paths) + seconds * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: now)
    rows(store, paths)
    assert known(store, paths) == 0


def test_any_damage_of_what_is_kept_only_costs_time(store: Path, paths: list[str]):
    rows(store, paths)
    whole = beside(store).read_bytes()
    generator = np.random.default_rng(0)
    damaged = [whole[: int(cut)] for cut in generator.integers(0, len(whole), 10)]
    damaged += [
        whole[:place] + bytes([whole[place] ^ 1 << int(generator.integers(8))]) + whole[place + 1 :]
        for place in generator.integers(0, len(whole), 20).tolist()
    ]
    for data in (*damaged, b"", whole + b"0" * 24, whole + b"0"):
        beside(store).write_bytes(data)
        assert known(store, paths) == 0
        found, heard = rows(store, paths)
        assert (found, heard.hashed) == (list(range(COUNT)), COUNT)
        assert beside(store).read_bytes() == whole


@pytest.mark.parametrize("head", [b"", b"teachonce.files 1\n"], ids=["none", "forged"])
def test_a_kept_file_without_end_is_not_read(store: Path, paths: list[str], head: bytes):
    beside(store).write_bytes(head)
    os.truncate(beside(store), 1 << 40)
    found, heard = rows(store, paths)
    assert (found, heard.hashed) == (list(range(COUNT)), COUNT)
    assert known(store, paths) == COUNT


def test_a_large_file_is_hashed_in_little_memory(store: Path, tmp_path: Path):
    large = tmp_path / "large.bin"
    large.write_bytes(b"content")
    os.truncate(large, 100_000_001)
    tracemalloc.start()
    try:
        found = hash_files(1, lambda i: str(large), Memo(store), SILENT).digests.tolist()
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert found == [digest_bytes(large.read_bytes())]


def test_where_the_store_lies_cannot_be_written_the_users_cache_serves(store: Path, paths: list[str], tmp_path: Path):
    beside(store).mkdir()
    assert rows(store, paths)[1].hashed == COUNT
    assert rows(store, paths)[1].hashed == 0
    assert [path.suffix for path in (tmp_path / "cache" / "teachonce").iterdir()] == [".files"]


def test_where_nothing_can_be_written_it_is_hashed_each_time(store: Path, paths: list[str], tmp_path: Path):
    beside(store).mkdir()
    (tmp_path / "cache").touch()
    for _ in range(2):
        found, heard = rows(store, paths)
        assert (found, heard.hashed) == (list(range(COUNT)), COUNT)


def test_several_datasets_share_what_is_kept_and_old_entries_go(store: Path, paths: list[str], tmp_path: Path):
    rows(store, paths[:150])
    rows(store, paths[150:])
    assert known(store, paths) == COUNT
    few = write_files(tmp_path / "few", {"a": CONTENTS["000.bin"]})
    rows(store, few)
    assert known(store, few) == 1
    assert known(store, paths) == 4


def test_the_store_itself_is_as_it_was(store: Path, paths: list[str]):
    before = sorted(store.rglob("*"))
    rows(store, paths)
    assert sorted(store.rglob("*")) == before

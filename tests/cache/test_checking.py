"""When mapped chunks are compared with their digests, and what it costs once they have been."""

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from storekit import BLOCKS, ROWS, VIEWS, build, spec

from teachonce.cache import TargetReader, open_store
from teachonce.cache.audit import find_problems
from teachonce.cache.checking import CheckedRows
from teachonce.cache.chunks import Chunks
from teachonce.cache.mark import mark_entries, mark_path, verified_at, write_mark
from teachonce.errors import CorruptError, MismatchError, StoreError, UnsealedError
from teachonce.fsio import TEMPORARY

ARRAY = "image_embedding"
CHUNK = f"targets/teacher/{ARRAY}/c/3/1/0"


def flip(path: Path, position: int = 40) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def mapped(path: Path, check: Any = "first-touch") -> TargetReader:
    return open_store(path).target("teacher", budget_bytes=0, check=check)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The chunks that are compared with their digests."""
    seen: list[str] = []
    real = Chunks.check

    def check(chunks: Chunks, key: str, data: bytes | memoryview) -> None:
        seen.append(key)
        real(chunks, key, data)

    monkeypatch.setattr(Chunks, "check", check)
    return seen


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns a thousand times as often."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


class TestFirstTouch:
    def test_each_chunk_once_and_then_nothing(self, made: Path, counted: list[str]):
        reader = mapped(made)
        reader.read(ARRAY, np.arange(64), 0)
        assert counted == [f"targets/teacher/{ARRAY}/c/0/0/0"]
        reader.read(ARRAY, np.array([5, 70, 6]), np.array([0, 1, 1]))
        assert sorted(counted[1:]) == [f"targets/teacher/{ARRAY}/c/{b}/1/0" for b in (0, 1)]
        for view in range(VIEWS):
            reader.read(ARRAY, np.random.default_rng(0).permutation(ROWS), view)
        assert len(counted) == len(set(counted)) == BLOCKS * VIEWS

    def test_several_threads_share_a_reader(self, made: Path, monkeypatch: pytest.MonkeyPatch, switching: None):
        """All of them may come to the last chunk before it has been checked."""
        failures: list[BaseException | None] = []
        with monkeypatch.context() as patch:
            patch.setattr(threading, "excepthook", lambda failed: failures.append(failed.exc_value))
            for _ in range(50):
                reader, meet = mapped(made), threading.Barrier(4)

                def read(reader: TargetReader = reader, meet: threading.Barrier = meet) -> None:
                    rows = np.arange(ROWS)
                    meet.wait()
                    for view in range(VIEWS):
                        reader.read(ARRAY, rows, view)

                threads = [threading.Thread(target=read) for _ in range(4)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                assert reader.check_next() == 0
        assert not failures

    def test_once_all_is_checked_nothing_stands_between_a_read_and_its_map(self, made: Path, counted: list[str]):
        reader = mapped(made)
        reader.read(ARRAY, np.arange(ROWS), 0)
        assert isinstance(reader._open[ARRAY], CheckedRows)
        reader.read(ARRAY, np.arange(ROWS), 1)
        assert type(reader._open[ARRAY]) is type(mapped(made, "marked")._rows(ARRAY))
        assert not reader._checking
        count = len(counted)
        reader.read(ARRAY, np.arange(ROWS), 1)
        assert len(counted) == count

    def test_a_damaged_chunk_is_never_given_out(self, copy: Path):
        flip(copy / CHUNK)
        reader = mapped(copy)
        rows = np.arange(3 * 64, 4 * 64)
        assert reader.read(ARRAY, rows, 0).shape == (64, 32)
        assert reader.read(ARRAY, np.delete(np.arange(ROWS), rows), 1).shape == (ROWS - 64, 32)
        for _ in range(2):
            with pytest.raises(CorruptError) as caught:
                reader.read(ARRAY, np.array([3 * 64 + 63]), 1)
            assert CHUNK in caught.value.message

    @pytest.mark.parametrize("use", ["resident", "all"])
    def test_what_is_loaded_is_checked_as_it_is_loaded(self, copy: Path, use: str):
        flip(copy / CHUNK)
        reader = open_store(copy).target("teacher", budget_bytes=1 << 30)
        with pytest.raises(CorruptError, match=CHUNK):
            reader.read(ARRAY, np.array([0]), 0) if use == "resident" else reader.all(ARRAY, 1)

    def test_a_worker_that_opens_it_again_checks_for_itself(self, copy: Path):
        reader = mapped(copy)
        reader.read(ARRAY, np.arange(ROWS), 1)
        rebuild, arguments = reader.__reduce__()
        flip(copy / CHUNK)
        with pytest.raises(CorruptError, match=CHUNK):
            rebuild(*arguments).read(ARRAY, np.arange(ROWS), 1)


class TestBackground:
    def test_rows_that_came_before_their_check_are_counted(self, made: Path):
        reader = mapped(made, "background")
        reader.read(ARRAY, np.arange(100), 0)
        assert reader.unchecked_rows == 100
        assert [reader.check_next() for _ in range(2)] == [64 * 32 * 2] * 2  # those that were read come first
        reader.read(ARRAY, np.arange(100), 0)
        assert reader.unchecked_rows == 100
        assert sum(1 for _ in iter(reader.check_next, 0)) == BLOCKS * VIEWS - 2
        reader.read(ARRAY, np.arange(ROWS), 1)
        assert reader.unchecked_rows == 100
        assert not isinstance(reader._open[ARRAY], CheckedRows)

    def test_damage_ends_all_later_reads(self, copy: Path):
        flip(copy / CHUNK)
        reader = mapped(copy, "background")
        reader.read(ARRAY, np.arange(ROWS), 1)
        with pytest.raises(CorruptError, match=CHUNK):
            list(iter(reader.check_next, 0))
        with pytest.raises(CorruptError, match=CHUNK):
            reader.read(ARRAY, np.array([0]), 0)


class TestMark:
    @pytest.fixture
    def marked(self, copy: Path) -> Path:
        write_mark(open_store(copy), mark_entries(open_store(copy), ["teacher"], samples=True))
        assert verified_at(open_store(copy), "teacher")
        return copy

    @pytest.mark.parametrize(
        "name", [CHUNK, "targets/teacher/status/c/0", "samples/label/c/3", "views/params/c/0/0/0", "zarr.json",
                 "samples/zarr.json", "targets/teacher/logits/zarr.json", "journal/teacher/000003.json",
                 "journal/samples/000000.json", "classes/teacher/mean/c/0/0", "targets/teacher/head/bias/c/0"],
    )  # fmt: skip
    @pytest.mark.parametrize("how", ["touched", "replaced", "changed in place", "gone"])
    def test_it_is_void_as_soon_as_a_file_differs(self, marked: Path, name: str, how: str):
        file = marked / name
        found = file.stat()
        if how == "touched":
            file.touch()
        elif how == "replaced":
            shutil.copy2(file, marked.parent / "new")
            (marked.parent / "new").rename(file)
        elif how == "gone":
            file.unlink()
        else:  # a program that puts the time back
            file.write_bytes(file.read_bytes())
            os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
        try:
            assert verified_at(open_store(marked), "teacher") is None
        except StoreError:
            assert how == "gone"

    def test_it_stays_when_files_are_read(self, marked: Path):
        store = open_store(marked)
        before = verified_at(store, "teacher")
        assert store.verify() == ["teacher"]
        mapped(marked).read(ARRAY, np.arange(ROWS), 0)
        assert verified_at(store, "teacher") == before is not None

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"kind": "teachonce.verified"}', b"\xff",
                                         b'{"kind": "teachonce.verified", "format": 1, "samples": 3, "targets": {}}',
                                         b'{"kind": "teachonce.verified", "format": 1, "samples": {}, "targets": {"teacher": 5}}'])  # fmt: skip # noqa: E501
    def test_what_is_no_mark_says_nothing(self, marked: Path, content: bytes):
        mark_path(marked).write_bytes(content)
        assert verified_at(open_store(marked), "teacher") is None

    def test_what_a_killed_writer_left_of_it_is_removed(self, marked: Path):
        left = marked.with_name(f"{TEMPORARY}12-3-{mark_path(marked).name}")
        others = marked.with_name(f"{TEMPORARY}12-3-x-{mark_path(marked).name}")
        for file in (left, others):
            file.touch()
        write_mark(open_store(marked), mark_entries(open_store(marked), ["teacher"], samples=True))
        assert not left.exists()
        assert others.exists()

    def test_a_copy_has_none(self, marked: Path, tmp_path: Path):
        other = tmp_path / "other.zarr"
        shutil.copytree(marked, other)
        shutil.copy2(mark_path(marked), mark_path(other))
        assert verified_at(open_store(other), "teacher") is None


class TestBinding:
    @pytest.fixture
    def other(self, tmp_path: Path) -> Path:
        """A store of as many rows of other data, with a target of the same name and shape."""
        path = tmp_path / "other.zarr"
        build(path, spec_=spec(), failed={7: "truncated"})
        return path

    @staticmethod
    def merge(source: Path, target: Path) -> None:
        for folder in ("targets", "journal", "classes"):
            shutil.rmtree(target / folder / "teacher")
            shutil.copytree(source / folder / "teacher", target / folder / "teacher")

    def test_a_target_of_other_data_is_refused_wherever_it_is_opened(self, copy: Path, other: Path):
        self.merge(other, copy)
        for use in (
            lambda: open_store(copy).target("teacher"),
            lambda: open_store(copy).class_means("teacher"),
            lambda: open_store(copy).verify(),
            lambda: open_store(copy).record("teacher"),
        ):
            with pytest.raises(MismatchError):
                use()
        assert [problem.kind for problem in find_problems(copy)] == ["samples"]

    def test_a_copy_under_another_name_is_told_by_its_own(self, copy: Path):
        for folder in ("targets", "journal", "classes"):
            shutil.copytree(copy / folder / "teacher", copy / folder / "second")
        with pytest.raises(MismatchError, match="'teacher'") as caught:
            open_store(copy).record("second")
        assert "--repair" not in str(caught.value.mend)
        for folder in ("targets", "journal", "classes"):
            shutil.rmtree(copy / folder / "teacher")
            (copy / folder / "second").rename(copy / folder / "teacher")
        assert open_store(copy).verify() == ["teacher"]

    def test_one_of_the_same_samples_may_be_taken_over(self, made: Path, copy: Path):
        """Two stores of the same data and views: their targets belong to both."""
        self.merge(made, copy)
        assert open_store(copy).verify() == ["teacher"]

    def test_a_target_is_not_read_while_the_samples_are_open(self, tmp_path: Path):
        path = tmp_path / "s.zarr"
        build(path)
        (path / "samples/zarr.json").write_text(
            '{"attributes": {"seal": null, "sealed": false}, "node_type": "group", "zarr_format": 3}'
        )
        with pytest.raises(UnsealedError):
            open_store(path).target("teacher")

    def test_a_second_target_is_bound_from_its_beginning(self, tmp_path: Path):
        path = tmp_path / "s.zarr"
        build(path)
        build(path, name="second", seal=False)
        store = open_store(path)
        assert store.record("second").samples == store.samples_seal["journal"]

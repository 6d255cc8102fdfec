"""Writing files: all or nothing, no temporary left, disk errors in one line."""

import errno
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teachonce import fsio, places
from teachonce.errors import DiskError


def failing(number: int, code: int) -> Callable[[int, Any], None]:
    """A write that stops half-way at its `number`-th call, as a full disk does."""
    real, left = fsio._write_all, [number]

    def write(descriptor: int, data: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            real(descriptor, memoryview(data)[: len(data) // 2])
            raise OSError(code, os.strerror(code))
        real(descriptor, data)

    return write


def test_writes_and_makes_folders(tmp_path: Path):
    fsio.write_bytes(tmp_path / "a" / "b", b"one")
    fsio.write_bytes(tmp_path / "a" / "b", memoryview(b"two"))
    fsio.write_bytes(tmp_path / "a" / "empty", b"")
    assert [(tmp_path / "a" / n).read_bytes() for n in ("b", "empty")] == [b"two", b""]
    assert len(list((tmp_path / "a").iterdir())) == 2


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("number", [1, 2])
def test_a_failed_write_keeps_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, number: int):
    first, second = tmp_path / "x" / "first", tmp_path / "second"
    fsio.write_files([(first, b"old"), (second, b"old")], tops=[tmp_path])
    monkeypatch.setattr(fsio, "_write_all", failing(number, code))
    with pytest.raises(DiskError, match="could not write") as caught:
        fsio.write_files([(first, b"new!"), (second, b"new!")], tops=[tmp_path])
    assert str((first, second)[number - 1]) in caught.value.message
    assert caught.value.mend
    assert first.read_bytes() == second.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["first", "second", "x"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(), inner, max_size=3)
        | st.dictionaries(st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(value=VALUES)
@settings(max_examples=40, deadline=None)
def test_json_has_its_keys_in_order_and_two_spaces(value: Any):
    expected = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert fsio.json_bytes(value) == expected.encode(errors="replace")


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": -math.inf}])
def test_what_json_does_not_have_is_refused(value: Any):
    with pytest.raises(ValueError, match="JSON"):
        fsio.json_bytes(value)


def test_an_interrupt_leaves_no_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(descriptor: int, data: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fsio, "_write_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fsio.write_bytes(tmp_path / "file", b"data")
    assert not list(tmp_path.iterdir())


def test_short_writes_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
    fsio.write_bytes(tmp_path / "file", b"0123456789")
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_every_folder_up_to_a_new_top_and_the_one_above_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[Path] = []
    monkeypatch.setattr(fsio, "sync_folder", synced.append)
    fsio.write_files(
        [(tmp_path / "c" / "0" / "1" / "0", b"x"), (tmp_path / "c" / "0" / "0", b"x")], tops=[tmp_path / "c"]
    )
    assert synced == [tmp_path / "c" / "0" / "1", tmp_path / "c" / "0", tmp_path / "c", tmp_path]


def test_a_folder_is_made_with_durable_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[Path] = []
    monkeypatch.setattr(fsio, "sync_folder", synced.append)
    fsio.make_folder(tmp_path / "a" / "b")
    fsio.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert synced == [tmp_path / "a", tmp_path]


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_line_that_cannot_be_appended_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
):
    path = tmp_path / "log.jsonl"
    fsio.append_line(path, b"one\n")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "injected")

    with monkeypatch.context() as patch:
        if step == "write":
            patch.setattr(fsio, "_write_all", failing(1, errno.ENOSPC))
        else:
            patch.setattr(os, "fsync", fail)
        with pytest.raises(DiskError):
            fsio.append_line(path, b"two\n")
    assert path.read_bytes() == b"one\n"
    fsio.append_line(path, b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


def test_removes_only_the_temporaries_asked_for(tmp_path: Path):
    folder = tmp_path / "journal"
    folder.mkdir()
    names = [f"{fsio.TEMPORARY}9-1-000001.json", f"{fsio.TEMPORARY}9-2-x-000001.json", "000001.json"]
    for name in names:
        (folder / name).write_bytes(b"")
    fsio.remove_temporaries(folder, of={"000001.json"}, deep=False)
    assert sorted(path.name for path in folder.iterdir()) == sorted(names[1:])
    fsio.remove_temporaries(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["000001.json"]


def test_json_has_one_spelling():
    assert fsio.json_bytes({"b": 1, "a": "ü"}) == '{\n  "a": "ü",\n  "b": 1\n}\n'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        fsio.json_bytes(float("nan"))


def test_space_is_asked_for_where_the_store_will_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    places.require_space(Path("not/yet/there"), 1)
    with pytest.raises(DiskError, match="GB free"):
        places.require_space(tmp_path / "not" / "there", 1 << 60)

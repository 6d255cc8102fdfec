"""Exports read back equal, with where they come from; and what `inspect` says."""

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from storekit import FAILURES, FINGERPRINT, ROWS, VIEWS, build, spec

from teachonce import places
from teachonce.cache import open_store
from teachonce.cache.chunks import Chunks
from teachonce.cache.describe import describe
from teachonce.cache.export import export
from teachonce.cache.hdf5 import GuardedFile
from teachonce.errors import DiskError, InputError, StoreMissingError, UnsealedError


def arrays(path: Path) -> dict[str, np.ndarray]:
    group = zarr.open_group(path, mode="r")
    members = dict(group.members(max_depth=None))
    return {name: node[:] for name, node in members.items() if isinstance(node, zarr.Array) and name != "journal"}


def test_hdf5_reads_back_equal(made: Path, tmp_path: Path):
    assert export(made, tmp_path / "out" / "store.h5") == tmp_path / "out" / "store.h5"
    expected = arrays(made)
    with h5py.File(tmp_path / "out" / "store.h5") as file:
        names: list[str] = []
        file.visititems(lambda name, node: names.append(name) if isinstance(node, h5py.Dataset) else None)
        assert sorted(names) == sorted(expected)
        for name, values in expected.items():
            assert file[name].dtype == values.dtype
            np.testing.assert_array_equal(file[name][:], values)
        assert file["targets/teacher/logits"].attrs["dtype"] == "bfloat16"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["store.h5"]


def test_hdf5_says_where_it_comes_from(made: Path, tmp_path: Path):
    export(made, tmp_path / "store.h5")
    record = open_store(made).record("teacher")
    with h5py.File(tmp_path / "store.h5") as file:
        assert file.attrs["format"] == 1
        assert file.attrs["rows"] == ROWS
        assert file.attrs["identity"] == "array"
        assert json.loads(file.attrs["data"])["class_names"] == list("abcdefghij")
        target = file["targets/teacher"].attrs
        assert target["fingerprint"] == record.fingerprint
        assert json.loads(target["fingerprint_fields"]) == FINGERPRINT
        assert target["batch_size"] == 32
        assert json.loads(target["seal"])["journal"] == record.seal["journal"]
        assert json.loads(target["failed"]) == {str(row): code for row, code in FAILURES.items()}


def test_hdf5_takes_very_many_class_names(tmp_path: Path):
    names = [f"class number {i} with a long name" for i in range(21_000)]
    data = {"class_names": names}
    build(tmp_path / "s.zarr", spec_=spec(rows=64, views=1, data=data), failed={}, info={"class_names": names})
    export(tmp_path / "s.zarr", tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5") as file:
        assert json.loads(file["targets/teacher"].attrs["class_names"]) == names


def test_npy_reads_back_equal(made: Path, tmp_path: Path):
    export(made, tmp_path / "out", "npy")
    files = {str(path.relative_to(tmp_path / "out"))[:-4]: np.load(path) for path in (tmp_path / "out").rglob("*.npy")}
    expected = arrays(made)
    assert sorted(files) == sorted(expected)
    for name, values in expected.items():
        assert files[name].dtype == values.dtype
        np.testing.assert_array_equal(files[name], values)
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["arrays"]["targets/teacher/logits"] == {"dtype": "bfloat16", "shape": [ROWS, VIEWS, 10]}
    assert provenance["groups"]["targets/teacher"]["fingerprint_fields"] == FINGERPRINT


@pytest.mark.parametrize("kind", ["hdf5", "npy"])
class TestRefusal:
    def test_what_is_there_already(self, made: Path, tmp_path: Path, kind: Any):
        (tmp_path / "out").write_text("mine")
        with pytest.raises(InputError, match="already exists"):
            export(made, tmp_path / "out", kind)
        assert (tmp_path / "out").read_text() == "mine"

    @pytest.mark.parametrize("missing", ["seal", "store"])
    def test_what_is_not_complete(self, tmp_path: Path, kind: Any, missing: str):
        if missing == "seal":
            build(tmp_path / "s.zarr", seal=False)
        with pytest.raises(UnsealedError if missing == "seal" else StoreMissingError):
            export(tmp_path / "s.zarr", tmp_path / "out", kind)
        assert not (tmp_path / "out").exists()

    def test_an_unsealed_target_beside_a_sealed_one(self, copy: Path, tmp_path: Path, kind: Any):
        build(copy, name="other", fingerprint={"teacher": "b"}, seal=False)
        with pytest.raises(UnsealedError, match="'other'"):
            export(copy, tmp_path / "out", kind)
        assert not (tmp_path / "out").exists()

    def test_too_little_space(self, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Any):
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(places.shutil, "disk_usage", lambda _: usage._replace(free=1000))
        with pytest.raises(DiskError, match="GB free"):
            export(made, tmp_path / "out", kind)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("number", [1, 2, 3, 10, 40, 80, -3, -2, -1], ids=str)
def test_a_full_disk_ends_hdf5_in_an_error(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, number: int
):
    real, count, whole = GuardedFile._write, [0], [0]

    def write(self: GuardedFile, data: Any) -> None:
        count[0] += 1
        if whole[0] and count[0] >= (number if number > 0 else whole[0] + 1 + number):
            raise OSError(code, "injected")
        real(self, data)

    monkeypatch.setattr(GuardedFile, "_write", write)
    export(made, tmp_path / "whole.h5")
    whole[0], count[0] = count[0], 0
    with pytest.raises(DiskError, match="injected") as caught:
        export(made, tmp_path / "out.h5")
    assert caught.value.mend
    assert [path.name for path in tmp_path.iterdir()] == ["whole.h5"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_leaves_no_folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int):
    real = Chunks.row_blocks

    def blocks(chunks: Chunks, grid: Any) -> Any:
        if grid.name == "logits":
            raise OSError(code, "injected")
        return real(chunks, grid)

    monkeypatch.setattr(Chunks, "row_blocks", blocks)
    with pytest.raises(DiskError, match="injected"):
        export(made, tmp_path / "out", "npy")
    assert not list(tmp_path.iterdir())


def test_an_unknown_format(made: Path, tmp_path: Path):
    with pytest.raises(InputError, match="csv"):
        export(made, tmp_path / "out", "csv")  # type: ignore[arg-type]


class TestDescribe:
    def test_a_sealed_store(self, made: Path):
        told = describe(made)
        assert {key: told[key] for key in ("format", "rows", "views", "block_rows")} == {
            "format": 1, "rows": ROWS, "views": VIEWS, "block_rows": 64,
        }  # fmt: skip
        target = told["targets"]["teacher"]
        assert target["kind"] == "classifier"
        assert target["sealed"] is True
        assert target["fingerprint"] == open_store(made).record("teacher").fingerprint
        assert target["arrays"] == {
            "image_embedding": {"shape": [ROWS, VIEWS, 32], "dtype": "float16"},
            "logits": {"shape": [ROWS, VIEWS, 10], "dtype": "bfloat16"},
        }
        per_view = 32 * 2 + 10 * 2
        assert target["bytes_per_sample"] == VIEWS * per_view + 1
        assert told["bytes_per_sample"] == VIEWS * (per_view + 6 * 4) + 1 + 8 + 4 + 1
        assert told["samples"] == {"sealed": True, "failed": 3}
        assert json.loads(json.dumps(told)) == told

    def test_how_far_an_unsealed_one_is(self, tmp_path: Path):
        store = build(tmp_path / "s.zarr", seal=False)
        (store.path / "journal/teacher/000004.json").unlink()
        target = describe(store.path)["targets"]["teacher"]
        assert (target["sealed"], target["blocks_done"], target["blocks"]) == (False, 9, 10)
        assert describe(store.path)["samples"] == {"sealed": False, "failed": None}

    def test_a_store_without_targets(self, copy: Path):
        shutil.rmtree(copy / "targets/teacher")
        assert describe(copy)["targets"] == {}

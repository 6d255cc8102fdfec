"""What a join is given: what it may trust, what it refuses, and a teacher that is copied, moved and opened again."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import Subset, TensorDataset

import teachonce
from teachonce.cache import open_store
from teachonce.digests import digest_bytes
from teachonce.errors import CorruptError, InputError
from tests.engine.joinkit import CONTENTS, VALUES, ImageFolder, an_hour_later, expected, make_store, write_files
from tests.heard import Heard

DIGESTS = [digest_bytes(value) for value in VALUES]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    an_hour_later(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "s.zarr", VALUES).path


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    return write_files(tmp_path / "data", CONTENTS)


def teacher(store: str | Path, **options: Any) -> teachonce.CachedTeacher:
    return teachonce.CachedTeacher(store, device="cpu", **options)


# ------------------------------------------------------------------ datasets


class Backwards(ImageFolder):
    """Its files are listed as torchvision's, its items are not."""

    def __getitem__(self, index: int) -> tuple[Any, int]:
        return super().__getitem__(len(self) - 1 - index)


class BackwardsInBatches(ImageFolder):
    def __getitems__(self, indices: list[int]) -> list[tuple[Any, int]]:
        return [self[len(self) - 1 - index] for index in indices]


class Kept(ImageFolder):
    """A subclass whose items are torchvision's."""


class BackwardsPart(Subset):
    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[::-1][index]]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [self[index] for index in indices]


class BackwardsTable(datasets.Dataset):
    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(len(self) - 1 - key)


@pytest.mark.parametrize(
    "make",
    [
        Backwards,
        BackwardsInBatches,
        lambda root: Subset(Backwards(root), [3, 4]),
        lambda root: BackwardsPart(ImageFolder(root), [3, 4]),
    ],
    ids=["items", "batches", "part-of-such", "part"],
)
def test_a_dataset_with_an_order_of_its_own_names_its_files(
    store: Path, paths: list[str], tmp_path: Path, make: Callable[[Path], Any]
):
    data = make(tmp_path / "data")
    with pytest.raises(InputError):
        teacher(store).dataset(data)
    batches = "__getitems__" in vars(make) if isinstance(make, type) else False
    shown = [data.__getitems__([i])[0][0] if batches else data[i][0] for i in range(len(data))]
    by_size = {len(value): value for value in VALUES}
    joined = teacher(store).dataset(data, files=[by_size[size] for size in shown])
    for i in range(len(data)):
        item, targets = joined.__getitems__([i])[0]
        assert torch.equal(targets["logits"], expected(by_size[item[0]], "logits"))


def test_a_subclass_that_keeps_the_items_is_known(store: Path, paths: list[str], tmp_path: Path):
    data = Kept(tmp_path / "data")
    wanted = [paths.index(path) for path, _ in data.samples]
    assert teacher(store).dataset(data).rows.tolist() == wanted
    assert teacher(store).dataset(Subset(data, [5, 2])).rows.tolist() == [wanted[5], wanted[2]]


def test_a_table_with_an_order_of_its_own_names_its_files(store: Path):
    cells = [{"bytes": value, "path": None} for value in VALUES]
    table = datasets.Dataset.from_dict({"image": cells}, datasets.Features({"image": datasets.Image()}))
    assert teacher(store).dataset(table).rows.tolist() == list(range(40))
    with pytest.raises(InputError):
        teacher(store).dataset(BackwardsTable(table.data))


def test_a_table_with_several_images_or_none_says_which_way(store: Path):
    features = {"a": datasets.Image(), "b": datasets.Image()}
    cells = [{"bytes": value, "path": None} for value in VALUES]
    two = datasets.Dataset.from_dict({"a": cells, "b": cells}, datasets.Features(features))
    for data in (two, datasets.Dataset.from_dict({"text": ["a"] * 40})):
        with pytest.raises(InputError):
            teacher(store).dataset(data)
    chosen = two.cast_column("b", datasets.Image(decode=False))
    assert teacher(store).dataset(two, files=lambda _, i: chosen[i]["b"]["bytes"]).rows.tolist() == list(range(40))


# ------------------------------------------------------------------ ways


@pytest.mark.parametrize(
    "digests",
    [
        [2**70 + DIGESTS[3]],
        [DIGESTS[3] - 2**64],
        [float(DIGESTS[3])],
        [1.5],
        np.array([1.0]),
        torch.tensor([1.5]),
        [True],
        np.array([True]),
        ["12"],
        [None],
        np.zeros((3, 2), np.uint64),
        torch.zeros(3, 1, dtype=torch.int64),
        np.array([-1], np.int32),
        np.uint64(7),
    ],
    ids=repr,
)
def test_digests_that_are_none(store: Path, digests: Any):
    with pytest.raises(InputError):
        teacher(store).rows_of(digests=digests)


def test_digests_as_they_may_be_kept(store: Path):
    unsigned = np.array(DIGESTS, np.uint64)
    signed = torch.from_numpy(unsigned.view(np.int64))
    assert (signed < 0).any()
    for given in (DIGESTS, tuple(DIGESTS), unsigned, unsigned.view(np.int64), signed, list(signed), list(unsigned)):
        assert teacher(store).rows_of(digests=given).tolist() == list(range(40))
    assert teacher(store).rows_of(digests=np.array([], np.uint64)).tolist() == []


@pytest.mark.parametrize(
    "files",
    [(value for value in VALUES), dict(enumerate(VALUES)), set(VALUES), {"a": VALUES[0]}.values(), 7, bytearray(b"a")],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_order_is_no_way(store: Path, files: Any):
    with pytest.raises(InputError):
        teacher(store).rows_of(files=files)


def test_a_column_of_pandas_is_read_by_position(store: Path):
    column = pd.Series(VALUES).iloc[[2, 0, 1]]  # its label 0 is at position 1
    assert teacher(store).rows_of(files=column).tolist() == [2, 0, 1]


@pytest.mark.parametrize("size", [8.5, (8, 8, 8), (8,), (8, 8.5), "8", (8, -1), 0])
def test_sizes_that_are_none(store: Path, size: Any):
    with pytest.raises(InputError):
        teacher(store).view(VALUES[3], 3, size=size)


@pytest.mark.parametrize("row", [3.9, True, [3, 3], "3"])
def test_a_view_of_a_row_that_is_none(store: Path, row: Any):
    with pytest.raises(InputError):
        teacher(store).view(VALUES[3], row)


def test_sizes_and_rows_as_numpy_and_torch_have_them(store: Path):
    wanted = teacher(store).view(VALUES[3], 3, size=(8, 9))
    for size in ([8, 9], np.array([8, 9]).tolist(), (np.int64(8), np.int32(9)), torch.Size([8, 9])):
        mean = np.array([0.5, 0.5, 0.5])
        assert torch.equal(teacher(store).view(VALUES[3], torch.tensor(3), np.int64(0), size=size, mean=mean), wanted)


# ------------------------------------------------------------------ copies, and another store in its place


def test_it_pickles_as_its_arguments(store: Path, paths: list[str]):
    model = teacher(store, arrays=["logits"])
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301
    assert torch.equal(copy([5, 6])["logits"], model([5, 6])["logits"])
    assert (list(copy.signals), copy.device) == (["logits"], torch.device("cpu"))
    assert len(pickle.dumps(model)) < 1000
    joined = model.dataset(TensorDataset(torch.arange(40)), files=paths[::-1])
    assert len(pickle.dumps(joined)) < 4 * 40 + 3000
    assert pickle.loads(pickle.dumps(joined))[1][1]["row"] == 38  # noqa: S301


def test_what_arrays_are_named_by(store: Path):
    for arrays in ({"logits": 1}.keys(), (name for name in ["logits"]), "logits", {"logits"}):
        copy = pickle.loads(pickle.dumps(teacher(store, arrays=arrays)))  # noqa: S301
        assert list(copy.signals) == ["logits"]


def test_another_store_in_its_place_is_refused(store: Path):
    model = teacher(store)
    data = pickle.dumps(model)
    assert pickle.loads(data)([3])["logits"].shape == (1, 3)  # noqa: S301
    shutil.rmtree(store)
    make_store(store, VALUES[::-1])
    with pytest.raises(CorruptError):
        pickle.loads(data)  # noqa: S301
    with pytest.raises(CorruptError):
        model.view(VALUES[3], 3)


def test_a_target_that_was_made_again_is_refused(store: Path, tmp_path: Path):
    data = pickle.dumps(teacher(store, targets="teacher"))
    other = make_store(tmp_path / "t.zarr", VALUES, targets=("first", "teacher")).path
    for place in ("targets/teacher", "journal/teacher"):
        shutil.rmtree(store / place)
        shutil.copytree(other / place, store / place)
    assert teacher(store)([3])["logits"].shape == (1, 3)  # it fits the samples
    with pytest.raises(CorruptError):
        pickle.loads(data)  # noqa: S301


def test_more_targets_make_no_other_store(store: Path, tmp_path: Path):
    data = pickle.dumps(teacher(store))
    other = make_store(tmp_path / "t.zarr", VALUES, targets=("teacher", "second")).path
    for place in ("targets/second", "journal/second"):
        shutil.copytree(other / place, store / place)
    assert torch.equal(pickle.loads(data)([3])["logits"][0], expected(VALUES[3], "logits"))  # noqa: S301


@pytest.mark.parametrize("opened", [False, True], ids=["path", "store"])
def test_a_relative_path_is_that_of_when_it_was_opened(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: bool
):
    monkeypatch.chdir(store.parent)
    model = teacher(open_store("s.zarr") if opened else "s.zarr")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert model.store.path == store
    assert torch.equal(model([3])["logits"][0], expected(VALUES[3], "logits"))
    assert model.view(VALUES[3], 3).shape == (3, 16, 16)
    copy = pickle.loads(pickle.dumps(model))  # noqa: S301
    assert copy.store.path == store
    assert copy.rows_of(files=VALUES[3:5]).tolist() == [3, 4]


@pytest.mark.parametrize("name", [".", "samples/.."])
def test_the_working_directory_is_a_store(store: Path, paths: list[str], monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.chdir(store)
    before = sorted(store.rglob("*"))
    assert teacher(name).rows_of(files=paths[:3]).tolist() == [0, 1, 2]
    assert store.with_name("s.zarr.files").is_file()
    assert sorted(store.rglob("*")) == before


def test_what_is_not_read_makes_a_target_no_larger(store: Path, paths: list[str], monkeypatch: pytest.MonkeyPatch):
    grids = {grid.name: grid.file_bytes for grid in open_store(store).record("teacher").grids}
    monkeypatch.setattr("teachonce.engine.join.signals.EAGER", grids["logits"])
    warned = {}
    for arrays in ("logits", "image_embedding"):
        heard = Heard()
        teacher(store, arrays=arrays).dataset(TensorDataset(torch.arange(40)), files=paths, events=heard)
        warned[arrays] = len(heard.warnings)
    assert warned == {"logits": 0, "image_embedding": 1}

"""Item i of a joined dataset is what the dataset gives for i, with the targets of those bytes; or it is an error."""

import os
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset

import teachonce
from teachonce.data.arrow import ArrowSamples
from teachonce.errors import DataError, InputError, MismatchError
from tests.engine.joinkit import CONTENTS, VALUES, FileItems, ImageFolder, expected, make_store, write_files


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def teacher(tmp_path: Path) -> teachonce.CachedTeacher:
    return teachonce.CachedTeacher(make_store(tmp_path / "s.zarr", VALUES).path, device="cpu")


class Folder(ImageFolder):
    """One that pickles: torchvision's may not be here."""


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    write_files(tmp_path / "data", CONTENTS)
    return Folder(tmp_path / "data")


def table(*sizes: int) -> datasets.Dataset:
    """A table of the images, undecoded, in parts of so many rows."""
    features = datasets.Features({"image": datasets.Image(decode=False)})
    cells = iter([{"bytes": value, "path": None} for value in VALUES])
    parts = [datasets.Dataset.from_dict({"image": [next(cells) for _ in range(size)]}, features) for size in sizes]
    return datasets.concatenate_datasets(parts)


def bytes_of(item: Any) -> bytes:
    return item["image"]["bytes"]


# ------------------------------------------------------------------ indices


@pytest.mark.parametrize("sizes", [(40,), (15, 25), (25, 15), (1, 38, 1)], ids=str)
def test_indices_of_a_subset_count_from_both_ends(teacher: teachonce.CachedTeacher, sizes: tuple[int, ...]):
    generator = np.random.default_rng(0)
    for data in (table(*sizes), table(*sizes).shuffle(1)):
        for indices in (range(-40, 0), generator.integers(-40, 40, 30), generator.integers(-40, 40, 5).tolist()):
            part = Subset(data, indices)  # type: ignore[arg-type]
            inner = Subset(part, [-1, 0, -2])
            for given in (part, inner):
                joined = teacher.dataset(given)
                for i in range(len(given)):
                    item, targets = joined[i]
                    assert item == given[i]
                    assert torch.equal(targets["logits"], expected(bytes_of(item), "logits"))


@pytest.mark.parametrize("indices", [[40], [0, -41], [2**40], [0.5], [True, False], [[0], [1]], ["a"]], ids=str)
def test_indices_that_are_none(teacher: teachonce.CachedTeacher, folder: ImageFolder, indices: list[Any]):
    for data in (folder, table(15, 25)):
        with pytest.raises(InputError):
            teacher.dataset(Subset(data, indices))


@pytest.mark.parametrize("row", [-1, -16, 40, 2**40])
def test_a_row_outside_the_table_is_refused(row: int):
    samples = ArrowSamples(table(15, 25), "image", description={})
    with pytest.raises(DataError):
        samples.file(row)


# ------------------------------------------------------------------ several items at once


class Within(Dataset):
    """A dataset that holds another."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)


class Delegating(Within):
    """Another order; all that it lacks is that of the dataset within."""

    def __getitem__(self, index: int) -> Any:
        return self.data[len(self.data) - 1 - index]

    def __getattr__(self, name: str) -> Any:
        if name == "data":
            raise AttributeError(name)
        return getattr(self.data, name)


class Both(Within):
    """The items of the dataset within, one by one or several at once."""

    def __getitem__(self, index: int) -> Any:
        return self.data[index]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        return [self.data[index] for index in indices]


class BackwardsTable(datasets.Dataset):
    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(len(self) - 1 - key)


class Backwards:
    def __getitem__(self, index: int) -> Any:
        return super().__getitem__(len(self) - 1 - index)  # type: ignore[misc, arg-type]


class Mixed(Backwards, Both):
    """What several at once are is inherited beside an order of its own."""


class Recording(FileItems):
    """Gives several at once, as one by one."""

    batches = 0

    def __getitems__(self, indices: list[int]) -> list[Any]:
        self.batches += 1
        return [self[index] for index in indices]


@pytest.mark.parametrize(
    "make",
    [
        Delegating,
        lambda data: BackwardsTable(data.data),
        Mixed,
        lambda data: Subset(Delegating(data), range(40)),
    ],
    ids=["delegating", "subclass", "mixed", "part"],
)
def test_items_are_what_the_dataset_gives(teacher: teachonce.CachedTeacher, make: Callable[[Any], Any]):
    data = make(table(40))
    joined = teacher.dataset(data, files=VALUES[::-1])
    for pairs in ([joined[i] for i in range(40)], joined.__getitems__(list(range(40)))):
        for i, (item, targets) in enumerate(pairs):
            assert item == data[i]
            assert torch.equal(targets["logits"], expected(bytes_of(item), "logits"))


def test_batches_are_asked_for_at_once_where_the_class_gives_them(tmp_path: Path, teacher: teachonce.CachedTeacher):
    paths = write_files(tmp_path / "data", CONTENTS)
    data = Recording(paths)
    joined = teacher.dataset(data, files=paths)
    assert [targets["row"] for _, targets in joined.__getitems__([3, 1])] == [3, 1]
    assert data.batches == 1


# ------------------------------------------------------------------ changed after it was joined


def assign(data: Any) -> None:
    data.indices = data.indices[::-1]


def shuffle(data: Any) -> None:
    random.Random(0).shuffle(data.samples)


def shorten(data: Any) -> None:
    del data.samples[20:]


def replace(data: Any) -> None:
    data.dataset = Subset(data.dataset, range(39, -1, -1))


CHANGES = [
    pytest.param(lambda folder: Subset(folder, list(range(40))), assign, id="indices"),
    pytest.param(lambda folder: Subset(table(15, 25), np.arange(40)), assign, id="rows-of-a-table"),
    pytest.param(lambda folder: Subset(table(15, 25), range(40)), replace, id="dataset"),
    pytest.param(lambda folder: folder, shuffle, id="samples"),
    pytest.param(lambda folder: folder, shorten, id="fewer"),
    pytest.param(lambda folder: Subset(folder, range(40)), lambda data: shuffle(data.dataset), id="samples-of-a-part"),
]


@pytest.mark.parametrize(("make", "change"), CHANGES)
@pytest.mark.parametrize("way", ["same", "pickled", "read-before"])
def test_a_list_that_changed_after_it_was_joined_is_refused(
    teacher: teachonce.CachedTeacher, folder: ImageFolder, make: Any, change: Callable[[Any], None], way: str
):
    joined = teacher.dataset(make(folder))
    everything = list(range(40))
    if way == "pickled":
        joined = pickle.loads(pickle.dumps(joined))  # noqa: S301
    if way == "read-before":
        assert len(joined.__getitems__(everything)) == 40
    change(joined.dataset)
    with pytest.raises(MismatchError):
        joined.__getitems__(everything)


def test_a_worker_refuses_it_too(teacher: teachonce.CachedTeacher, folder: ImageFolder):
    joined = teacher.dataset(folder)
    shuffle(joined.dataset)
    with pytest.raises(MismatchError):
        next(iter(DataLoader(joined, 40, num_workers=1, multiprocessing_context="fork", collate_fn=len)))


def test_a_list_that_did_not_change_is_read_in_any_order(teacher: teachonce.CachedTeacher, folder: ImageFolder):
    parts = [folder, table(15, 25), table(40).shuffle(3), Subset(folder, [5, -1, 5]), Subset(table(15, 25), [39, 0])]
    for data in parts:
        joined = pickle.loads(pickle.dumps(teacher.dataset(data)))  # noqa: S301
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0)).tolist()
        for i, (item, targets) in zip(order, joined.__getitems__(order), strict=True):
            assert item == data[i]
            assert targets["row"] == joined.rows[i]
    dropped = teachonce.CachedTeacher(
        make_store(Path(folder.samples[0][0]).parents[2] / "t.zarr", VALUES[7:]).path, device="cpu"
    ).dataset(Subset(folder, range(39, -1, -1)), missing="drop")
    assert len(dropped.__getitems__(list(range(len(dropped))))) == 33


def test_what_each_item_takes(teacher: teachonce.CachedTeacher, folder: ImageFolder):
    """At most twelve bytes, beside the dataset's own."""
    part = Subset(folder, np.random.default_rng(0).integers(0, 40, 20_000))
    joined = teacher.dataset(part)
    assert len(pickle.dumps(joined)) - len(pickle.dumps(part)) < 12 * len(part) + 3000

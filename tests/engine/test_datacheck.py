"""Data that is not the store's: the first row is named, and how it differs."""

from pathlib import Path

import numpy as np
import pytest

from teachonce.cache.store import Store
from teachonce.data.samples import ArraySamples
from teachonce.engine.classes import check_classes, check_means, require_labels
from teachonce.engine.datacheck import check_data
from teachonce.errors import DataError, MismatchError
from tests.engine.enginekit import digits, make_store, some


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("guard") / "s.zarr")


def swapped(values: np.ndarray, one: int, other: int) -> np.ndarray:
    copy = np.array(values)
    copy[[one, other]] = copy[[other, one]]
    return copy


@pytest.mark.parametrize("every", [True, False])
def test_the_same_data(store: Store, every: bool):
    assert check_data(store, digits(), every=every).complete


def test_reordered(store: Store):
    data = digits()
    mixed = some(data, images=swapped(data.images, 7, 100), labels=swapped(data.labels, 7, 100))
    with pytest.raises(MismatchError, match=r"reordered: row 7 of the data is row 100 of the store"):
        check_data(store, mixed, every=True)


def test_shifted_by_one(store: Store):
    data = digits()
    shifted = some(data, images=np.roll(data.images, 1, axis=0), labels=np.roll(data.labels, 1))
    with pytest.raises(MismatchError, match="reordered: row 0 of the data is row 199"):
        check_data(store, shifted, every=True)


def test_other_data(store: Store):
    images = digits().images.copy()
    images[150, 0, 0, 0] ^= 255
    with pytest.raises(MismatchError, match="other data: row 150"):
        check_data(store, some(digits(), images=images), every=True)


def test_relabelled(store: Store):
    labels = swapped(digits().labels, 20, 21)
    with pytest.raises(MismatchError, match=f"relabelled: row 20 has label {labels[20]}"):
        check_data(store, some(digits(), labels=labels), every=False)


def test_another_number_of_rows_or_kind_of_identity(store: Store):
    with pytest.raises(MismatchError, match="200 rows, the data has 199"):
        check_data(store, digits(199), every=False)
    data = digits()
    data.identity = "encoded"
    with pytest.raises(MismatchError, match="'array'"):
        check_data(store, data, every=False)


def test_without_labels_there_is_nothing_to_compare(store: Store):
    check_data(store, some(digits(), labels=None, class_names=None), every=True)


def test_other_names_of_the_same_labels_are_other_classes(store: Store):
    names = list(digits().class_names)
    with pytest.raises(MismatchError, match="class 0 is '0' and '1'"):
        check_data(store, some(digits(), class_names=(names[1], names[0], *names[2:])), every=False)
    with pytest.raises(MismatchError, match="has 10 classes, the data has 11"):
        check_data(store, some(digits(), class_names=(*names, "ten")), every=False)


def test_large_data_is_compared_as_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A row between the spread ones is found when it is first read, and each row is read once."""
    monkeypatch.setattr("teachonce.engine.datacheck.SPREAD", 20)
    store, data = make_store(tmp_path / "s.zarr"), digits()
    data.images = data.images.copy()
    data.images[11, 0, 0, 0] ^= 255
    guard = check_data(store, data, every=False)
    assert not guard.complete
    guard.check(np.arange(11))
    monkeypatch.setattr(data, "digest", None)
    guard.check(np.arange(11))
    monkeypatch.undo()
    with pytest.raises(MismatchError, match="row 11"):
        guard.check(np.array([50, 11, 12]))


def test_classes():
    data = digits()
    names = list(data.class_names)
    check_classes("the teacher", 10, names, data)
    check_classes("the teacher", 10, None, data)
    check_classes("the teacher", 10, [f" {name.upper()}" for name in names], data)
    with pytest.raises(MismatchError, match="has 12 classes, the data has 10"):
        check_classes("the teacher", 12, None, data)
    with pytest.raises(MismatchError, match="class 3 is '4' and '3'"):
        check_classes("the teacher", 10, [*names[:3], "4", "3", *names[5:]], data)


@pytest.mark.parametrize("classes", [2, 10, 11, 101])
@pytest.mark.parametrize("first", [0, 1])
def test_classes_named_by_numbers_in_the_order_of_texts(classes: int, first: int):
    numbers = [str(number) for number in range(first, first + classes)]
    data = ArraySamples(np.zeros((classes, 1, 1, 3), np.uint8), np.arange(classes))
    check_classes("the teacher", classes, numbers, data)
    if sorted(numbers) == numbers:
        return check_classes("the teacher", classes, sorted(numbers), data)
    with pytest.raises(MismatchError, match="order"):
        check_classes("the teacher", classes, sorted(numbers), data)
    named = ArraySamples(np.zeros((classes, 1, 1, 3), np.uint8), np.arange(classes), sorted(numbers))
    return check_classes("the teacher", classes, sorted(numbers), named)


def test_class_means():
    data = digits()
    counts = np.array([5, 5, 0, 5, 5, 5, 5, 5, 5, 5])
    check_means(np.full(10, 5), data.labels, data)
    with pytest.raises(MismatchError, match="9 classes"):
        check_means(np.full(9, 5), data.labels, data)
    with pytest.raises(DataError, match=r"'?2'?"):
        check_means(counts, data.labels, data)
    check_means(counts, data.labels[data.labels != 2], data)  # a class without rows needs no mean


def test_labels_are_required():
    with pytest.raises(DataError, match="method kd needs labels"):
        require_labels(some(digits(), labels=None, class_names=None), "method kd")

"""Class means are those of the stored rows, whatever way the store was made."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from storekit import ARRAYS, CLASSES, ROWS, build, labels, open_writer, seal_target, tree

from teachonce.cache import from_stored, open_store
from teachonce.cache.classes import chosen_rows
from teachonce.errors import CorruptError, InputError, MismatchError, StoreMissingError
from teachonce.types import ArraySpec, PerClass


def recomputed(path: Path, given: np.ndarray, classes: int, per_class: int | None) -> tuple[np.ndarray, np.ndarray]:
    """From the definition: view 0, the rows in order, float64; by plain Zarr."""
    group = zarr.open_group(path, mode="r")["targets/teacher"]
    stored, status = group["image_embedding"][:, 0], group["status"][:]
    dtype = group["image_embedding"].attrs.get("dtype", "float32")
    values = from_stored(stored, dtype).astype(np.float64)
    mean, count = np.full((classes, values.shape[1]), np.nan), np.zeros(classes, np.int64)
    for label in range(classes):
        rows = [row for row in range(len(given)) if given[row] == label and status[row] == 1][:per_class]
        count[label] = len(rows)
        if rows:
            total = np.zeros(values.shape[1])
            for row in rows:
                total = total + values[row]
            mean[label] = total / len(rows)
    return mean.astype(np.float32), count


@pytest.mark.parametrize("per_class", [1, 20, 100, None])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_equal_a_recomputation(tmp_path: Path, per_class: int | None, dtype: str):
    arrays = {"image_embedding": ArraySpec(shape=(32,), dtype=dtype)}
    store = build(tmp_path / "s.zarr", arrays=arrays, head=None, seal=False)
    build(tmp_path / "s.zarr", arrays=arrays, head=None)
    with open_writer(store, arrays=arrays, head=None) as target:
        seal_target(target, per_class=per_class)
    mean, count = store.class_means("teacher")
    expected_mean, expected_count = recomputed(store.path, labels(), CLASSES, per_class)
    np.testing.assert_array_equal(mean, expected_mean)
    np.testing.assert_array_equal(count, expected_count)
    assert mean.dtype == np.float32
    assert count.dtype == np.int64
    assert store.record("teacher").attributes["per_class"] == per_class
    store.target("teacher").verify()


@pytest.mark.parametrize("sealed", [20, None])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_means_over_other_rows_are_what_a_seal_would_write(tmp_path: Path, dtype: str, sealed: int | None):
    arrays = {"image_embedding": ArraySpec(shape=(32,), dtype=dtype)}
    store = build(tmp_path / "s.zarr", arrays=arrays, head=None)
    with open_writer(store, arrays=arrays, head=None) as target:
        seal_target(target, per_class=sealed)
    before = tree(store.path)
    asked: tuple[PerClass, ...] = (1, 7, 50, "all")
    computed = {per_class: store.class_means("teacher", per_class) for per_class in asked}
    assert tree(store.path) == before
    for per_class, (mean, count) in computed.items():
        with open_writer(store, arrays=arrays, head=None) as target:
            seal_target(target, per_class=None if per_class == "all" else per_class)
        expected_mean, expected_count = store.class_means("teacher")
        np.testing.assert_array_equal(mean.view(np.uint32), expected_mean.view(np.uint32))
        np.testing.assert_array_equal(count, expected_count)
    assert not np.array_equal(computed[1][0], computed[7][0])


def test_means_over_other_rows_are_of_checked_bytes(copy: Path):
    chunk = copy / "targets/teacher/image_embedding/c/0/0/0"
    data = bytearray(chunk.read_bytes())
    data[0] ^= 1
    chunk.write_bytes(data)
    open_store(copy).class_means("teacher")
    with pytest.raises(CorruptError, match=r"image_embedding/c/0/0/0"):
        open_store(copy).class_means("teacher", 1)


def test_means_over_no_rows_are_refused(copy: Path):
    with pytest.raises(InputError):
        open_store(copy).class_means("teacher", 0)


def test_a_class_without_rows_is_nan(copy: Path):
    store = open_store(copy)
    with open_writer(store) as target:
        seal_target(target, classes=12)
    mean, count = store.class_means("teacher")
    assert mean.shape == (12, 32)
    assert count[10:].tolist() == [0, 0]
    assert np.isnan(mean[10:]).all()
    assert np.isfinite(mean[:10]).all()


def test_another_rule_on_a_sealed_target_changes_nothing_else(copy: Path, made: Path):
    store = open_store(copy)
    with open_writer(store) as target:
        seal_target(target, per_class=None)
    assert store.record("teacher").attributes["per_class"] is None
    before = tree(made)
    changed = {name for name, data in tree(copy).items() if before[name] != data}
    assert changed == {"classes/teacher/mean/c/0/0", "classes/teacher/count/c/0", "targets/teacher/zarr.json"}
    with open_writer(store) as target:
        seal_target(target)
    assert tree(copy) == tree(made)


def test_without_labels_there_are_none(copy: Path):
    store = open_store(copy)
    with open_writer(store) as target:
        seal_target(target, labels=None, classes=None, per_class=None)
    assert not (copy / "classes/teacher").exists()
    with pytest.raises(StoreMissingError, match="no class means"):
        store.class_means("teacher")
    store.target("teacher").verify()


def test_logits_alone_have_none(tmp_path: Path):
    store = build(tmp_path / "s.zarr", arrays={"logits": ARRAYS["logits"]}, head=None)
    assert store.record("teacher").sealed
    with pytest.raises(StoreMissingError, match="no class means"):
        store.class_means("teacher")


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"labels": np.zeros(5, np.int32)}, InputError, "expected 581 labels"),
        ({"per_class": 0}, InputError, "--per-class is 0"),
        ({"classes": 9}, MismatchError, "a label is 9, but there are 9 classes"),
    ],
)
def test_rules_that_cannot_be(copy: Path, made: Path, changes: dict[str, Any], error: type[Exception], words: str):
    with open_writer(open_store(copy)) as target, pytest.raises(error, match=words):
        seal_target(target, **changes)
    assert tree(copy) == tree(made)


def test_the_number_of_classes_is_that_of_the_labels(copy: Path):
    with open_writer(open_store(copy)) as target:
        seal_target(target, classes=None)
    assert open_store(copy).record("teacher").attributes["classes"] == CLASSES


@pytest.mark.parametrize("per_class", [1, 3, None])
def test_the_first_rows_of_each_class(per_class: int | None):
    given = np.array([2, 2, -1, 0, 2, 0, 2, 0], dtype=np.int32)
    status = np.array([1, 2, 1, 1, 1, 1, 1, 1], dtype=np.uint8)
    expected = {1: [0, 3], 3: [0, 3, 4, 5, 6, 7], None: [0, 3, 4, 5, 6, 7]}[per_class]
    assert chosen_rows(given, status, per_class).tolist() == expected
    assert chosen_rows(np.full(ROWS, -1, np.int32), np.ones(ROWS, np.uint8), per_class).tolist() == []

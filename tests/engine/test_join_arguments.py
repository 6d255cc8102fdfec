"""Arguments of a `CachedTeacher` of another type or out of range: one kind of error each, never a raw one."""

import os
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import teachonce
from teachonce.errors import DataError, InputError
from tests.data.imagekit import encode, noise
from tests.engine.joinkit import make_store

VALUES = [encode(noise(8, 4 + i, i)) for i in range(6)]


class OfBytes:
    """A path that is bytes, as `os.scandir(b".")` gives them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> bytes:
        return os.fsencode(self.path)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arguments")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        return make_store(folder / "s.zarr", VALUES, views=2).path


@pytest.fixture(scope="module")
def teacher(place: Path) -> teachonce.CachedTeacher:
    return teachonce.CachedTeacher(place, device="cpu")


TENSORS: dict[str, Callable[[], torch.Tensor]] = {
    "bfloat16": lambda: torch.tensor([1.0], dtype=torch.bfloat16),
    "sparse": lambda: torch.tensor([1, 2]).to_sparse(),
    "meta": lambda: torch.zeros(2, dtype=torch.int64, device="meta"),
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.quint8),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2)]),
    "gradients": lambda: torch.ones(2, requires_grad=True),
    "complex": lambda: torch.tensor([1j]),
}
ODD: dict[str, Any] = {
    "none": None,
    "huge": 2**70,
    "fraction": 1.5,
    "nan": float("nan"),
    "text": "a",
    "texts": ["a", "b", "c"],
    "truth": True,
    "ragged": [[1], [2, 3]],
    "holes": [None],
    "object": object(),
    "type": int,
    "dates": np.array(["2020"], "M8[D]"),
    "table": np.zeros((2, 2), int),
}


def odd(name: str) -> Any:
    if name not in TENSORS:
        return ODD[name]
    with warnings.catch_warnings():  # of what torch calls a prototype, or out of date
        warnings.simplefilter("ignore", UserWarning)
        return TENSORS[name]()


USES: dict[str, Callable[[teachonce.CachedTeacher, Any], Any]] = {
    "rows": lambda teacher, value: teacher(value),
    "view": lambda teacher, value: teacher([0], value),
    "row-of-a-view": lambda teacher, value: teacher.view(VALUES[0], value),
    "view-of-a-view": lambda teacher, value: teacher.view(VALUES[0], 0, value),
    "view-of-a-dataset": lambda teacher, value: teacher.dataset(
        TensorDataset(torch.arange(6)), files=VALUES, view=value
    ),
    "size": lambda teacher, value: teacher.view(VALUES[0], 0, size=value),
    "mean": lambda teacher, value: teacher.view(VALUES[0], 0, mean=value),
    "std": lambda teacher, value: teacher.view(VALUES[0], 0, std=value),
    "missing": lambda teacher, value: teacher.dataset(TensorDataset(torch.arange(6)), files=VALUES, missing=value),
    "store": lambda teacher, value: teachonce.CachedTeacher(value, device="cpu"),
    "targets": lambda teacher, value: teachonce.CachedTeacher(teacher.store, targets=value, device="cpu"),
}
MEANS_THE_USUAL = {("size", "none"), ("mean", "none"), ("std", "none")}
OF_NAMES = {("store", "text"), ("targets", "text"), ("targets", "texts")}  # names of what there is not


@pytest.mark.parametrize(("use", "name"), sorted(set(product(USES, [*ODD, *TENSORS])) - MEANS_THE_USUAL - OF_NAMES))
def test_numbers_names_and_places_that_are_none(teacher: teachonce.CachedTeacher, use: str, name: str):
    with pytest.raises(InputError):
        USES[use](teacher, odd(name))


@pytest.mark.parametrize("name", [*TENSORS, "ragged"])
def test_images_and_digests_that_are_none(teacher: teachonce.CachedTeacher, name: str):
    with pytest.raises(DataError):
        teacher.view(odd(name), 0)
    for digests in (odd(name), [odd(name)]):
        with pytest.raises(InputError):
            teacher.rows_of(digests=digests)


@pytest.mark.parametrize("size", [0, -1, 10**7, 2**70, (8, 0), (8, 2**70), (8, 16_385), True, (True, True), [], b"ab"])
def test_sizes_out_of_range(teacher: teachonce.CachedTeacher, size: Any):
    with pytest.raises(InputError):
        teacher.view(VALUES[0], 0, size=size)


NUMBERS = [(1, 1), (1, 1, 1, 1), (1,), 1.0, [[1, 1, 1]], "abc", b"abc", (True,) * 3, (float("nan"), 1, 1)]
NUMBERS += [(1, float("inf"), 1), (1e300, 1, 1), (None, 1, 1), {1, 2, 3}]


@pytest.mark.parametrize("numbers", NUMBERS, ids=repr)
@pytest.mark.parametrize("name", ["mean", "std"])
def test_channels_that_are_none(teacher: teachonce.CachedTeacher, name: str, numbers: Any):
    with pytest.raises(InputError):
        teacher.view(VALUES[0], 0, **{name: numbers})


@pytest.mark.parametrize("std", [(0, 0, 0), (1, 0, 1), (1, -1, 1), (1e-300, 1, 1)])
def test_a_deviation_that_divides_by_nothing(teacher: teachonce.CachedTeacher, std: Any):
    with pytest.raises(InputError):
        teacher.view(VALUES[0], 0, std=std)


def test_numbers_in_any_form(teacher: teachonce.CachedTeacher):
    wanted = teacher.view(VALUES[0], 0, size=(1, 1), mean=(0.0, 0.0, 0.0), std=(1.0, 2.0, 3.0))
    for std in ([1, 2, 3], np.array([1, 2, 3], np.uint8), torch.tensor([1.0, 2.0, 3.0])):
        for size in (1, np.int64(1), np.array([1, 1]), torch.tensor(1), [1, 1]):
            assert torch.equal(teacher.view(VALUES[0], 0, size=size, mean=[0, 0, 0], std=std), wanted)


@pytest.mark.parametrize("device", ["meta", "mps", "xpu", "nothing", 7])
def test_a_device_that_keeps_no_values(place: Path, device: Any):
    with pytest.raises(InputError):
        teachonce.CachedTeacher(place, device=device)


@pytest.mark.parametrize(
    "store", [7, b"a", [], ["a"], {}, OfBytes(Path("a"))], ids=["int", "bytes", "list", "names", "dict", "of bytes"]
)
def test_a_place_that_is_none(store: Any):
    with pytest.raises(InputError):
        teachonce.CachedTeacher(store, device="cpu")


def test_half_a_character_is_no_text_and_no_key(teacher: teachonce.CachedTeacher, tmp_path: Path):
    with pytest.raises(InputError):
        teacher.rows_of(texts=["\ud800"])
    keyed = make_store(tmp_path / "k.zarr", [b"1", b"2"], identity="key").path
    with pytest.raises(InputError):
        teachonce.CachedTeacher(keyed, device="cpu").rows_of(keys=["\ud800"])
    assert teachonce.CachedTeacher(keyed, device="cpu").rows_of(keys=torch.tensor([2, 1])).tolist() == [1, 0]


def test_files_in_any_form(teacher: teachonce.CachedTeacher, tmp_path: Path):
    """The same bytes, whatever holds them."""
    path = tmp_path / "\udcff.png"  # a name that is no UTF-8
    path.write_bytes(VALUES[3])
    spread = memoryview(bytes(2 * len(VALUES[3]))).cast("B")
    gaps = bytearray(spread)
    gaps[::2] = VALUES[3]
    forms = [path, str(path), OfBytes(path), VALUES[3], bytearray(VALUES[3]), memoryview(gaps)[::2]]
    assert teacher.rows_of(files=forms).tolist() == [3] * len(forms)
    wanted = teacher.view(VALUES[3], 3)
    assert torch.equal(teacher.view(memoryview(gaps)[::2], 3), wanted)

"""Targets from a store: only what is needed is read, from memory or from the map, in any order."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from teachonce.cache.store import Store
from teachonce.engine.cached import CachedTargets
from teachonce.engine.feed import cut
from teachonce.engine.split import shuffled
from teachonce.engine.targets import BatchRows
from teachonce.errors import CorruptError, StoreMissingError
from teachonce.methods.targets import Targets
from teachonce.signals import Needs, needs
from teachonce.types import ArraySpec
from tests.engine.enginekit import add_target, make_store

CPU = torch.device("cpu")
EMBEDDING, LOGITS, MEANS = needs("image_embedding"), needs("logits"), needs("class_mean")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("cached") / "s.zarr", views=2)


def cached(store: Store, signals: Needs, *, name: str = "teacher", budget: int = 1 << 30) -> CachedTargets:
    return CachedTargets(store, {name: signals}, device=CPU, budget_bytes=budget)


def fetch(source: CachedTargets, rows: np.ndarray, view: int = 0) -> Targets:
    return source.fetch(BatchRows(rows, torch.from_numpy(rows)), view)


@pytest.mark.parametrize("budget", [0, 1 << 30])
def test_shuffled_batches_of_both_views(store: Store, budget: int):
    source, reader = cached(store, EMBEDDING | LOGITS, budget=budget), store.target("teacher")
    for view in (0, 1):
        batches = cut(shuffled(np.arange(200), 0, view), 32, drop_last=True)
        source.plan(batches, view)
        for rows in batches:
            got = fetch(source, rows, view)
            assert np.array_equal(got["image_embedding"].numpy(), reader.all("image_embedding", view)[rows])
            assert np.array_equal(got["logits"].numpy(), reader.all("logits", view)[rows])
    source.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "teachonce-ahead"]


def test_another_order_than_planned_is_still_right(store: Store):
    source, reader = cached(store, EMBEDDING, budget=0), store.target("teacher")
    rows = np.array([5, 190, 5, 64])
    source.plan([np.array([1, 2]), np.array([3, 4])], 0)
    assert np.array_equal(fetch(source, rows)["image_embedding"].numpy(), reader.all("image_embedding")[rows])
    source.plan([rows], 1)
    fetch(source, rows, 1)
    assert np.array_equal(fetch(source, rows, 1)["image_embedding"].numpy(), reader.all("image_embedding", 1)[rows])
    source.plan([rows], 0)
    assert np.array_equal(fetch(source, rows, 1)["image_embedding"].numpy(), reader.all("image_embedding", 1)[rows])
    source.close()


def test_bytes_that_were_not_sealed_are_refused(store: Store, tmp_path: Path):
    copy = tmp_path / "s.zarr"
    shutil.copytree(store.path, copy)
    chunk = copy / "targets" / "teacher" / "logits" / "c" / "1" / "0" / "0"
    chunk.write_bytes(bytes(chunk.stat().st_size))
    broken = Store(copy, store.spec)
    with pytest.raises(CorruptError, match=r"logits/c/1/0/0"):
        cached(broken, LOGITS)
    cached(broken, EMBEDDING)


def test_only_what_is_needed_is_read(store: Store, tmp_path: Path):
    """With the embeddings gone from the disk, logits and means are served; embeddings are not invented."""
    copy = tmp_path / "s.zarr"
    shutil.copytree(store.path, copy)
    shutil.rmtree(copy / "targets" / "teacher" / "image_embedding" / "c")
    broken = Store(copy, store.spec)
    got = fetch(cached(broken, LOGITS), np.arange(4))
    assert set(got) == {("teacher", "logits")}
    assert fetch(cached(broken, MEANS), np.arange(4))["class_mean"].shape == (10, 32)
    with pytest.raises(CorruptError):
        cached(broken, EMBEDDING)


def test_logits_from_the_head(store: Store):
    reader = store.target("teacher")
    embeddings = np.stack([reader.all("image_embedding", view) for view in (0, 1)], 1)
    specs = {"image_embedding": ArraySpec(shape=(32,), dtype="float16")}
    add_target(store, "headed", {"image_embedding": embeddings}, specs, head=store.head("teacher"), labels=None)
    source = cached(store, LOGITS, name="headed")
    assert source.specs["headed"].width("logits") == 10
    rows, (weight, bias) = np.arange(50), store.head("teacher")
    got = fetch(source, rows, 1)
    assert set(got) == {("headed", "logits")}
    expected = embeddings[rows, 1].astype(np.float64) @ weight.T.astype(np.float64) + bias
    np.testing.assert_allclose(got["logits"].numpy(), expected, atol=1e-5)


def test_what_is_missing_names_the_command(store: Store):
    reader = store.target("teacher")
    embeddings = np.stack([reader.all("image_embedding", view) for view in (0, 1)], 1)
    specs = {"image_embedding": ArraySpec(shape=(32,), dtype="float16")}
    add_target(store, "bare", {"image_embedding": embeddings}, specs, head=None, labels=None)
    for signals in (LOGITS, MEANS):
        with pytest.raises(StoreMissingError) as caught:
            cached(store, signals, name="bare")
        assert "teachonce embed" in caught.value.mend
    with pytest.raises(StoreMissingError, match="no target"):
        cached(store, LOGITS, name="none")


def test_bfloat16_keeps_its_bits(tmp_path: Path):
    store = make_store(tmp_path / "b.zarr", dtype="bfloat16")
    got = fetch(cached(store, LOGITS), np.arange(3))["logits"]
    assert got.dtype == torch.bfloat16
    assert np.array_equal(got.view(torch.int16).numpy().view(np.uint16), store.target("teacher").all("logits")[:3])

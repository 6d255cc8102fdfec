"""How many rows of each class a class mean is over, as a setting of the training."""

from pathlib import Path

import numpy as np
import pytest
import torch

from teachonce.cache.store import Store
from teachonce.engine.cached import CachedTargets
from teachonce.engine.metrics import read_metrics
from teachonce.errors import MismatchError
from teachonce.signals import needs
from tests.engine.enginekit import VIT, make_store
from tests.stages.trainkit import quick


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("per_class") / "s.zarr", dtype="float32", per_class=5)


def losses(store: Store, out: Path, **options: object) -> list[float]:
    common = {"store": store.path, "method": "clip-embed-kd", "epochs": 1, "precision": "float32"}
    quick(out, **(common | options))
    return [entry.losses["loss_clip"] for entry in read_metrics(out)]


def test_a_training_gets_the_means_that_a_seal_would_write(store: Store, tmp_path: Path):
    other = make_store(tmp_path / "other.zarr", dtype="float32", per_class=2)
    source = CachedTargets(store, {"teacher": needs("class_mean:2")}, device=torch.device("cpu"), budget_bytes=0)
    assert source.class_counts is not None
    assert source.class_counts.tolist() == [2] * 10
    means = source.fetch(None, 0)["class_mean:2"]
    assert np.array_equal(means.numpy(), other.class_means("teacher")[0])
    assert not np.array_equal(means.numpy(), store.class_means("teacher")[0])


def test_cached_and_live_take_the_same_rows(store: Store, tmp_path: Path):
    live = {"source": "live", "teacher": VIT}
    seen = []
    for per_class in (2, "all"):
        settings = {"settings": {"per_class": per_class}}
        seen.append(losses(store, tmp_path / f"cached-{per_class}", **settings))
        assert losses(store, tmp_path / f"live-{per_class}", **settings, **live) == pytest.approx(seen[-1], rel=1e-5)
    assert seen[0] != pytest.approx(seen[1], rel=1e-4)


def test_the_stores_own_rows_are_the_default(store: Store, tmp_path: Path):
    assert losses(store, tmp_path / "own") == losses(store, tmp_path / "five", settings={"per_class": 5})


def test_it_tells_runs_apart(store: Store, tmp_path: Path):
    losses(store, tmp_path / "run", settings={"per_class": 2})
    with pytest.raises(MismatchError, match="per_class"):
        losses(store, tmp_path / "run", settings={"per_class": 3})

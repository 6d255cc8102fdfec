"""Several targets behind one interface: side by side where they fit, read ahead where not, rows that all have."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from teachonce.cache.store import Store
from teachonce.engine.cached import CachedTargets
from teachonce.engine.cached_target import CachedTarget
from teachonce.engine.targets import BatchRows
from teachonce.methods.targets import Targets
from teachonce.signals import needs
from tests.alike import assert_alike
from tests.engine.enginekit import make_store
from tests.engine.rdmkit import add_rdm

BOTH = needs("image_embedding", "logits")
NAMES = ("rdm-10", "rdm-1")
ROWS = np.array([5, 190, 5, 64])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = make_store(tmp_path_factory.mktemp("several") / "s.zarr", views=2)
    add_rdm(store, "rdm-10")
    add_rdm(store, "rdm-1", seed=1, failed=(7, 9))
    return store


def several(store: Store, *names: str, budget: int = 1 << 30, from_head: Sequence[str] = ()) -> CachedTargets:
    reads = dict.fromkeys(names or ("teacher", *NAMES), BOTH)
    return CachedTargets(store, reads, device=torch.device("cpu"), budget_bytes=budget, from_head=from_head)


def fetch(source: CachedTargets, rows: np.ndarray = ROWS, view: int = 0) -> Targets:
    return source.fetch(BatchRows(rows, torch.from_numpy(rows)), view)


def some_budget(store: Store) -> int:
    """Room for the teacher alone."""
    return several(store, "teacher").size


@pytest.mark.parametrize("fit", ["all", "none", "some"])
def test_every_target_is_its_own(store: Store, fit: str):
    source = several(store, budget={"all": 1 << 30, "none": 0, "some": some_budget(store)}[fit])
    tiers = {"all": {"resident"}, "none": {"mapped"}, "some": {"resident", "mapped"}}
    assert {target.tier for target in source.targets.values()} == tiers[fit]
    for view in (0, 1):
        source.plan([ROWS], view)
        found = fetch(source, view=view)
        assert {target for target, _ in found} == {"teacher", *NAMES}
        for target, array in found:
            stored = store.target(target).all(array, view)[ROWS]
            assert np.array_equal(found[target, array].numpy(), stored, equal_nan=True)
    source.close()
    assert not readers()


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "teachonce-ahead"]


def test_mapped_ones_are_read_by_one_thread_in_the_order_that_was_planned(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    by, read = [], CachedTarget.read
    monkeypatch.setattr(
        CachedTarget, "read", lambda *given: (by.append(threading.current_thread().name), read(*given))[1]
    )
    source = several(store, budget=0)
    source.plan([ROWS + step for step in range(9)], 1)
    for rows in (ROWS, ROWS + 1):
        fetch(source, rows, 1)
    assert (len(readers()), set(by)) == (1, {"teachonce-ahead"})
    stored = store.target("rdm-1").all("logits", 1)[ROWS]
    assert np.array_equal(fetch(source, ROWS, 1)["rdm-1", "logits"].numpy(), stored, equal_nan=True)
    assert (readers(), by[-1]) == ([], threading.main_thread().name)  # not what was planned


def test_side_by_side_nothing_is_kept_twice(store: Store):
    source = several(store, "teacher", "rdm-10")
    kept = [target.resident for target in source.targets.values()]
    owners = {a.untyped_storage().data_ptr() for arrays in kept for views in arrays.values() for a in views}
    assert len(owners) == store.spec.views
    packed = kept[0]["logits"][0].untyped_storage().nbytes()
    assert packed == source.size // store.spec.views == source.kept_bytes // store.spec.views


def test_heads_go_along(store: Store):
    alone = fetch(several(store, "rdm-10", from_head=["rdm-10"]))
    beside = fetch(several(store, "teacher", "rdm-10", from_head=["rdm-10"]))
    assert_alike(beside["rdm-10", "logits"], alone["logits"])
    assert alone["logits"].dtype == torch.float32
    assert not torch.equal(alone["logits"].half(), fetch(several(store, "rdm-10"))["logits"])


def test_other_dtypes_are_fetched_one_by_one(tmp_path: Path):
    store = make_store(tmp_path / "o.zarr", dtype="float32", views=2)
    add_rdm(store, "half", dtype="float16")
    found = fetch(several(store, "teacher", "half"))
    assert (found["logits"].dtype, found["half", "logits"].dtype) == (torch.float32, torch.float16)


def test_rows_that_all_have(store: Store):
    source = several(store)
    assert np.flatnonzero(~source.usable).tolist() == [7, 9]
    assert {name: spec.name for name, spec in source.specs.items()} == {n: n for n in ("teacher", *NAMES)}

"""Several targets behind one interface: side by side where they fit, read ahead where not, rows that all have."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from teachonce.cache.store import Store
from teachonce.engine.cached import CachedTargets
from teachonce.engine.several import SeveralTargets
from teachonce.engine.targets import BatchRows, NoTargets
from teachonce.methods.targets import Needs, Targets
from tests.alike import assert_alike
from tests.engine.enginekit import make_store
from tests.engine.rdmkit import add_rdm

BOTH = Needs(image_embedding=True, logits=True)
NAMES = ("rdm-10", "rdm-1")
ROWS = np.array([5, 190, 5, 64])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = make_store(tmp_path_factory.mktemp("several") / "s.zarr", views=2)
    add_rdm(store, "rdm-10")
    add_rdm(store, "rdm-1", seed=1, failed=(7, 9))
    return store


def cached(store: Store, name: str, *, budget: int = 1 << 30, from_head: bool = False) -> CachedTargets:
    cpu = torch.device("cpu")
    return CachedTargets(store, name, BOTH, device=cpu, budget_bytes=budget, from_head=from_head)


def several(store: Store, *budgets: int) -> SeveralTargets:
    main, *extras = budgets or (1 << 30,) * 3
    sources = {name: cached(store, name, budget=budget) for name, budget in zip(NAMES, extras, strict=True)}
    return SeveralTargets(cached(store, "teacher", budget=main), sources)


def fetch(source: SeveralTargets, rows: np.ndarray = ROWS, view: int = 0) -> Targets:
    return source.fetch(BatchRows(rows, torch.from_numpy(rows)), view)


@pytest.mark.parametrize("budgets", [(1 << 30,) * 3, (0,) * 3, (1 << 30, 0, 1 << 30)], ids=["packed", "mapped", "some"])
def test_every_target_is_its_own(store: Store, budgets: tuple[int, ...]):
    source = several(store, *budgets)
    for view in (0, 1):
        source.plan([ROWS], view)
        found = fetch(source, view=view)
        assert list(found.extras) == list(NAMES)
        for name, targets in {"teacher": found, **found.extras}.items():
            for array in ("image_embedding", "logits"):
                stored = store.target(name).all(array, view)[ROWS]
                assert np.array_equal(getattr(targets, array).numpy(), stored, equal_nan=True)
    source.close()
    assert not readers()


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "teachonce-ahead"]


def test_mapped_ones_are_read_by_one_thread_in_the_order_that_was_planned(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    by, read = [], CachedTargets.read
    monkeypatch.setattr(
        CachedTargets, "read", lambda *given: (by.append(threading.current_thread().name), read(*given))[1]
    )
    source = several(store, 0, 0, 0)
    source.plan([ROWS + step for step in range(9)], 1)
    for rows in (ROWS, ROWS + 1):
        fetch(source, rows, 1)
    assert (len(readers()), set(by)) == (1, {"teachonce-ahead"})
    stored = store.target("rdm-1").all("logits", 1)[ROWS]
    assert np.array_equal(fetch(source, ROWS, 1).extras["rdm-1"].logits.numpy(), stored, equal_nan=True)
    assert (readers(), by[-1]) == ([], threading.main_thread().name)  # not what was planned


def test_side_by_side_nothing_is_kept_twice(store: Store):
    main, extra = cached(store, "teacher"), cached(store, "rdm-10")
    SeveralTargets(main, {"rdm-10": extra})
    owners = {a.untyped_storage().data_ptr() for s in (main, extra) for views in s.resident.values() for a in views}
    assert len(owners) == store.spec.views
    packed = main.resident["logits"][0].untyped_storage().nbytes()
    assert packed == sum(s.size for s in (main, extra)) // store.spec.views


def test_heads_go_along(store: Store):
    rows = BatchRows(ROWS, torch.from_numpy(ROWS))
    alone = cached(store, "rdm-10", from_head=True).fetch(rows, 0)
    beside = SeveralTargets(cached(store, "teacher"), {"rdm-10": cached(store, "rdm-10", from_head=True)})
    assert_alike(fetch(beside).extras["rdm-10"].logits, alone.logits)


def test_other_dtypes_are_fetched_one_by_one(store: Store, tmp_path: Path):
    other = make_store(tmp_path / "o.zarr", dtype="float32", views=2)
    found = fetch(SeveralTargets(cached(store, "teacher"), {"other": cached(other, "teacher")}))
    assert (found.logits.dtype, found.extras["other"].logits.dtype) == (torch.float16, torch.float32)


def test_rows_that_all_have(store: Store):
    source = several(store)
    assert np.flatnonzero(~source.usable).tolist() == [7, 9]
    assert source.spec.name == "teacher"
    assert {name: spec.name for name, spec in source.spec.extras.items()} == {name: name for name in NAMES}
    plain = NoTargets()
    plain.spec = source.spec
    assert SeveralTargets(plain, {}).usable is None

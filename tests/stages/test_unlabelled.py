"""Rows without a label beside others, and classes without rows: embedded, left out of what needs labels."""

from pathlib import Path

import numpy as np
import pytest
import torch

from teachonce.cache.store import Store
from teachonce.data.samples import ArraySamples
from teachonce.errors import DataError
from teachonce.models import Signals
from teachonce.stages.embed import embed
from teachonce.stages.evaluate import evaluate
from tests.engine.enginekit import VIT, digits, make_store, some
from tests.stages.embedding import Wrapped
from tests.stages.embedding import teacher as small_teacher
from tests.stages.trainkit import Heard, assert_trained_alike, quick

BARE = np.arange(200) % 3 == 0


@pytest.fixture(scope="module")
def data() -> ArraySamples:
    """A third without a label, and no row of the class 4."""
    labels = digits().labels.copy()
    labels[BARE | (labels == 4)] = -1
    return some(digits(), labels=labels)


@pytest.fixture(scope="module")
def store(data: ArraySamples, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("unlabelled") / "s.zarr", samples=data, per_class=None)


def test_all_rows_are_embedded_and_means_are_over_those_with_a_label(store: Store, data: ArraySamples):
    assert (store.labels() == data.labels).all()
    assert (store.labels() == -1).sum() > BARE.sum()
    values = store.target("teacher").all("image_embedding", 0).astype(np.float64)
    assert np.isfinite(values).all()
    means, counts = store.class_means("teacher")
    assert counts.tolist() == [int((data.labels == label).sum()) for label in range(10)]
    assert counts[4] == 0
    assert np.isnan(means[4]).all()
    for label in np.flatnonzero(counts):
        assert means[label] == pytest.approx(values[data.labels == label].mean(0), abs=1e-5)


@pytest.mark.parametrize("method", ["ce", "kd", "clip-embed-kd", "clip-teacher-kd"])
def test_rows_without_a_label_do_not_train(store: Store, data: ArraySamples, tmp_path: Path, method: str):
    heard = Heard()
    result = quick(tmp_path / "run", data=data, limit=None, method=method, store=store.path, events=heard)
    assert result.train_rows + result.val_rows == int((data.labels >= 0).sum())
    assert any(f"{int((data.labels < 0).sum())} rows are left out" in text for text in heard.warnings)


def test_a_class_without_rows_is_masked_live_and_cached_alike(data: ArraySamples, tmp_path: Path):
    full = make_store(tmp_path / "s.zarr", samples=data, per_class=None, dtype="float32")
    common = {"data": data, "limit": None, "method": "clip-embed-kd", "store": full.path}
    quick(tmp_path / "cached", **common)
    quick(tmp_path / "live", **common, source="live", teacher=VIT)
    assert_trained_alike(tmp_path / "cached", tmp_path / "live", rel=2e-3)


def test_evaluating_needs_a_row_with_a_label(data: ArraySamples, tmp_path: Path):
    quick(tmp_path / "run", data=data, limit=None)
    bare = some(data, labels=np.full(200, -1))
    with pytest.raises(DataError, match="needs labels"):
        evaluate(run=tmp_path / "run", data=bare, device="cpu")
    found = evaluate(run=tmp_path / "run", data=data, device="cpu")
    assert isinstance(found.rows, int)
    assert found.rows == (data.labels >= 0).sum()
    assert next(entry for entry in found.per_class if entry.name == "4").top1 is None


def test_outputs_that_no_softmax_expects_are_told(tmp_path: Path):
    def changed(change: str) -> list[str]:
        def spoil(_: torch.Tensor, signal: Signals) -> Signals:
            logits = signal["logits"]
            assert logits is not None
            how = {"probabilities": logits.softmax(1), "log": logits.log_softmax(1), "logits": logits}
            return signal | {"logits": how[change]}

        heard = Heard()
        store = tmp_path / f"{change}.zarr"
        embed(teacher=Wrapped(small_teacher(), spoil), data=digits(64), store=store, device="cpu", events=heard)
        return [text for text in heard.warnings if "softmax" in text]

    assert "probabilities" in changed("probabilities")[0]
    assert changed("log") == changed("logits") == []

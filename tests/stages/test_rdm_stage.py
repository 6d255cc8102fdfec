"""RDMs trained from the cache: what is stored is what they make of the stored embeddings, and what is told is true."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from safetensors.torch import load_file
from torch.nn import functional as F

from teachonce.cache import Store, open_store
from teachonce.engine.cached import CachedTargets
from teachonce.engine.rdm.fit import Fit
from teachonce.engine.rdm.stored import load_rdm
from teachonce.engine.split import split_rows
from teachonce.engine.stage_one.runs import runs_path
from teachonce.models.rdm import RdmOut
from tests.stages.rdmkit import CLASSES, ROWS, WIDTH, components, make, memory_folder, quick, snapshot
from tests.stages.trainkit import Heard

FOUR: dict[str, Any] = {"epochs": 4, "lr": 1e-2, "select": "top1"}


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with memory_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def trained() -> Iterator[tuple[Store, Any]]:
    """A store of two views with rdm-10 and rdm-1, for reading only."""
    with memory_folder() as folder:
        store = make(folder / "s.zarr", views=2, failed={3: "truncated"}, broken=(70,))
        yield store, quick(store.path, 10, 1, **FOUR)


def applied(store: Store, name: str, view: int = 0) -> RdmOut:
    """The RDM of a target, put on all stored embeddings of a view."""
    with torch.no_grad():
        return load_rdm(store, name)(torch.from_numpy(store.target("teacher").all("image_embedding", view)))


def validation(store: Store) -> np.ndarray:
    """The rows that validate: by hash, and without the two that failed."""
    rows = split_rows(store.digests(), 0, 0.2)[1]
    return rows[~np.isin(rows, (3, 70))]


@pytest.mark.parametrize("name", ["rdm-10", "rdm-1"])
@pytest.mark.parametrize("view", [0, 1])
def test_stored_outputs_are_those_of_the_stored_rdm(trained: tuple[Store, Any], name: str, view: int):
    store, _ = trained
    out, reader = applied(store, name, view), store.target(name)
    good = ~np.isin(np.arange(ROWS), (3, 70))
    for array, value in (("image_embedding", out.embedding), ("logits", out.logits)):
        assert value is not None
        np.testing.assert_allclose(reader.all(array, view)[good], value[0].numpy()[good], rtol=1e-5, atol=1e-5)
        assert np.isnan(reader.all(array, view)[~good]).all()
    weight, bias = store.head(name)
    np.testing.assert_allclose(
        reader.all("logits", view)[good], reader.all("image_embedding", view)[good] @ weight.T + bias, atol=1e-4
    )


def test_views_differ(trained: tuple[Store, Any]):
    reader = trained[0].target("rdm-10")
    assert not np.allclose(reader.all("image_embedding", 0)[:3], reader.all("image_embedding", 1)[:3], atol=1e-3)


def test_failed_rows_stay_failed_with_their_reason(trained: tuple[Store, Any]):
    store, _ = trained
    for name in ("rdm-10", "rdm-1"):
        records = store.record(name).journal.present().values()
        assert [pair for record in records for pair in record.failed] == [(3, "truncated"), (70, "spoiled")]
        assert store.record(name).failed == 2


@pytest.mark.parametrize(("index", "name", "weight"), [(0, "rdm-10", 10.0), (1, "rdm-1", 1.0)])
def test_what_is_told_is_what_a_recomputation_gives(trained: tuple[Store, Any], index: int, name: str, weight: float):
    store, result = trained
    entry, rows = result.rdms[index], torch.from_numpy(validation(store))
    assert (entry.name, entry.distortion_weight, entry.reused) == (name, weight, False)
    out, labels = applied(store, name), torch.from_numpy(store.labels().astype(np.int64))[rows]
    x = torch.from_numpy(store.target("teacher").all("image_embedding"))[rows]
    teacher = torch.from_numpy(store.target("teacher").all("logits"))[rows]
    assert torch.equal(out.latent[:, rows], out.latent[:, rows].round())
    made, logits, rate = out.embedding[0][rows], out.logits[0][rows], out.nats[0][rows].double().mean().item()
    assert entry.bits == pytest.approx(rate / math.log(2), rel=1e-5)
    distortion = ((made - x) ** 2).sum(1).mean().item()
    assert entry.distortion == pytest.approx(distortion, rel=1e-5)
    assert entry.top1 == (logits.argmax(1) == labels).double().mean().item()
    assert result.teacher_top1 == (teacher.argmax(1) == labels).double().mean().item()
    chosen = store.record(name).attributes["curve"][entry.best_epoch - 1]
    ce = F.cross_entropy(logits, labels).item()
    soft = F.softmax(teacher / 2, 1)
    kl = 4 * (soft * (soft.log() - F.log_softmax(logits / 2, 1))).sum(1).mean().item()
    expected = {"ce": ce, "kl": kl, "val_loss": weight * distortion + rate + ce + kl, "val_top1": entry.top1}
    assert {key: chosen[key] for key in expected} == pytest.approx(expected, rel=1e-4)


def test_the_best_epoch_is_the_one_of_the_highest_top1(trained: tuple[Store, Any]):
    store, result = trained
    for entry in result.rdms:
        curve = store.record(entry.name).attributes["curve"]
        assert [point["epoch"] for point in curve] == [1, 2, 3, 4]
        ranks = [(point["val_top1"], -point["val_loss"]) for point in curve]
        assert entry.best_epoch == 1 + ranks.index(max(ranks))
        assert not {"seconds", "time", "samples_per_s"} & set(curve[0])


def test_the_target_says_what_it_is_of(trained: tuple[Store, Any]):
    store, result = trained
    record, parent = store.record("rdm-10"), store.record("teacher")
    assert record.kind == "rdm"
    assert record.fingerprint_fields["parent"] == {
        "name": "teacher",
        "fingerprint": parent.fingerprint,
        "content": parent.seal["journal"],
    }
    assert record.fingerprint_fields["rdm"]["distortion_weight"] == 10
    assert record.fingerprint_fields["weights"] == next(iter(record.weights["chunks"].values()))
    told = record.attributes
    assert told["rdm_spec"] == load_rdm(store, "rdm-10").spec.to_json()
    assert told["macs"] == 4 * WIDTH**2 + WIDTH * CLASSES
    assert (told["teacher"], told["class_names"]) == ("made", parent.attributes["class_names"])
    assert (told["bits"], told["top1"]) == (result.rdms[0].bits, result.rdms[0].top1)
    assert store.class_means("rdm-10")[1].tolist() == store.class_means("teacher")[1].tolist()


def test_the_result_counts_rows(trained: tuple[Store, Any]):
    store, result = trained
    val = len(validation(store))
    assert (result.val_rows, result.rows, result.epochs) == (val, ROWS - 2 - val, 4)
    assert result.samples_per_s == pytest.approx(result.rows * 4 / result.seconds)


def test_zarr_walks_past_the_weights_and_safetensors_opens_them(trained: tuple[Store, Any]):
    store, _ = trained  # warnings are errors in this suite
    members = dict(zarr.open_group(store.path, mode="r").members(max_depth=None))
    assert members["targets/rdm-10/weights"].dtype == np.uint8
    loaded = load_file(store.path / "targets/rdm-10/weights/c/0")
    assert {name: value.shape for name, value in loaded.items()} == {
        name: value.shape for name, value in load_rdm(store, "rdm-10").state_dict().items()
    }
    assert store.verify() == ["rdm-1", "rdm-10", "teacher"]


def test_nothing_is_left_beside_the_store(trained: tuple[Store, Any]):
    beside = {path.name for path in trained[0].path.parent.iterdir()}
    assert beside == {"s.zarr", "s.zarr.runs.jsonl", "s.zarr.verified.json"}


def test_the_run_record_tells_what_was_trained_together(trained: tuple[Store, Any]):
    store, result = trained
    (line,) = map(json.loads, runs_path(store.path).read_text().splitlines())
    assert sorted(line["targets"]) == ["rdm-1", "rdm-10"]
    assert line["seconds"] == pytest.approx(result.seconds, abs=1e-3)
    assert (line["outcome"], line["device"]) == ("sealed", "cpu")


def test_a_second_call_does_nothing_and_says_so(
    trained: tuple[Store, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    store, first = trained
    before, heard = snapshot(store.path), Heard()
    monkeypatch.setattr(Fit, "run", None)
    again = quick(store.path, 1, 10, **FOUR, events=heard)
    assert [(entry.name, entry.reused) for entry in again.rdms] == [("rdm-1", True), ("rdm-10", True)]
    assert again.rdms[1].bits == first.rdms[0].bits
    assert (again.teacher_top1, again.seconds, again.samples_per_s) == (first.teacher_top1, 0.0, 0.0)
    assert heard.infos[-1] == "reused: rdm-1, rdm-10"
    assert snapshot(store.path) == before


def test_only_missing_weights_are_trained_and_siblings_do_not_matter(tmp_path: Path):
    alone, both = make(tmp_path / "a.zarr"), make(tmp_path / "b.zarr")
    quick(alone.path, 10)
    before = snapshot(alone.path / "targets/rdm-10")
    result = quick(alone.path, 10, 0.5)
    assert [(entry.name, entry.reused) for entry in result.rdms] == [("rdm-10", True), ("rdm-0.5", False)]
    assert snapshot(alone.path / "targets/rdm-10") == before
    quick(both.path, 0.5, 10)
    for name in ("rdm-10", "rdm-0.5"):
        left, right = load_rdm(alone, name).state_dict(), load_rdm(both, name).state_dict()
        for key, value in left.items():
            torch.testing.assert_close(value, right[key], rtol=1e-4, atol=1e-5)
    assert not torch.equal(left["layers.0.weight"], load_rdm(both, "rdm-10").state_dict()["layers.0.weight"])


def test_epochs_learn_from_the_views_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store, seen = make(tmp_path / "s.zarr", views=2), []
    plan = CachedTargets.plan

    def planned(self: CachedTargets, batches: Any, view: int) -> None:
        seen.append((sum(map(len, batches)), view))
        plan(self, batches, view)

    monkeypatch.setattr(CachedTargets, "plan", planned)
    val = quick(store.path, 1, epochs=3).val_rows
    assert [view for rows, view in seen if rows != val] == [0, 1, 0]
    assert [view for rows, view in seen if rows == val] == [0, 0, 0]


def test_a_mapped_store_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    one, two = make(tmp_path / "a.zarr", views=2), make(tmp_path / "b.zarr", views=2)
    quick(one.path)
    monkeypatch.setattr("teachonce.engine.rdm.fit.device_budget", lambda device: 0)
    quick(two.path)
    assert snapshot(one.path) == snapshot(two.path)


def test_without_labels(tmp_path: Path):
    store, heard = make(tmp_path / "s.zarr", labelled=False), Heard()
    result = quick(store.path, 1, events=heard)
    assert any("without cross-entropy" in text for text in heard.infos)
    assert (result.rdms[0].top1, result.teacher_top1) == (None, None)
    record = store.record("rdm-1")
    assert record.attributes["curve"][0]["ce"] is None
    assert record.attributes["curve"][0]["kl"] > 0
    assert set(record.arrays) == {"image_embedding", "logits"}
    assert record.class_grids == ()


def test_an_encoder_gives_cross_entropy_alone(tmp_path: Path):
    store, heard = make(tmp_path / "s.zarr", logits=False), Heard()
    result = quick(store.path, 1, events=heard)
    assert any("without KL" in text for text in heard.infos)
    assert result.teacher_top1 is None
    assert result.rdms[0].top1 is not None
    assert store.record("rdm-1").spec.width("logits") == CLASSES
    assert store.record("rdm-1").spec.class_names == tuple(store.spec.data["class_names"])


@pytest.mark.parametrize("off", [{}, {"ce_weight": 0}])
def test_rate_and_distortion_alone(tmp_path: Path, off: dict[str, float]):
    """Equation (4): no logits, no head."""
    store = make(tmp_path / "s.zarr", logits=False, labelled=bool(off))
    result = quick(store.path, 1, **off)
    record = store.record("rdm-1")
    assert set(record.arrays) == {"image_embedding"}
    assert record.head is None
    assert result.rdms[0].top1 is None
    assert record.attributes["rdm_spec"]["classes"] is None
    assert set(record.attributes["curve"][0]) >= {"train_rate", "train_distortion"}


def test_a_stored_head_gives_the_logits(tmp_path: Path):
    """W e + b in float32 is what the other store holds, so that both train alike."""
    with_head, with_logits = make(tmp_path / "a.zarr", logits=False, keep_head=True), make(tmp_path / "b.zarr")
    first, second = quick(with_head.path, 1), quick(with_logits.path, 1)
    assert first.teacher_top1 == second.teacher_top1
    assert first.rdms[0].bits == pytest.approx(second.rdms[0].bits, rel=1e-4)
    assert with_head.record("rdm-1").attributes["curve"][1]["kl"] == pytest.approx(
        with_logits.record("rdm-1").attributes["curve"][1]["kl"], rel=1e-3
    )


def test_the_cnn_preset_gives_logits_only(tmp_path: Path):
    store = make(tmp_path / "s.zarr")
    result = quick(store.path, 100, preset="cnn", epochs=1)
    record = store.record("rdm-100")
    assert set(record.arrays) == {"logits"}
    assert (record.head, record.class_grids, result.rdms[0].distortion) == (None, (), None)
    assert record.attributes["macs"] == WIDTH * 512 + 512 * 306 + 306 * CLASSES + CLASSES**2
    out = applied(store, "rdm-100")
    np.testing.assert_allclose(store.target("rdm-100").all("logits"), out.logits[0].numpy(), rtol=1e-4, atol=1e-5)
    point = record.attributes["curve"][0]
    total = point["bits"] * math.log(2) + 100 * (point["ce"] + point["kl"])
    assert point["val_loss"] == pytest.approx(total, rel=1e-6)


def test_rows_without_a_label_are_left_out_of_training_and_written(tmp_path: Path):
    store, heard = make(tmp_path / "s.zarr", unlabelled=(1, 5)), Heard()
    assert quick(store.path, 1, events=heard).rows + quick(store.path, 1).val_rows == ROWS - 2
    assert any(text.startswith("2 rows are left out") for text in heard.infos)
    assert np.isfinite(store.target("rdm-1").all("image_embedding")[[1, 5]]).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dtypes(tmp_path: Path, dtype: Any):
    store = make(tmp_path / "s.zarr", dtype="float16")
    quick(store.path, 1, epochs=1, dtype=dtype)
    quick(store.path, 2, epochs=1)
    assert {spec.dtype for spec in store.record("rdm-1").arrays.values()} == {dtype}
    assert {spec.dtype for spec in store.record("rdm-2").arrays.values()} == {"float16"}
    assert store.record("rdm-1").fingerprint_fields["dtype"] == dtype


def test_a_larger_weight_gives_a_higher_rate_and_less_distortion(tmp_path: Path):
    store = make(tmp_path / "s.zarr", rows=600)
    rdms = quick(store.path, 0.05, 0.5, 5, epochs=10, lr=1e-2, select="loss").rdms
    bits, distortion = [entry.bits for entry in rdms], [entry.distortion for entry in rdms]
    assert bits[1] > 1.2 * bits[0]
    assert bits[2] > 1.2 * bits[1]
    assert distortion[0] > 1.1 * distortion[1] > 1.1 * 1.1 * distortion[2]
    assert rdms[0].top1 < rdms[2].top1


def test_selecting_by_loss(tmp_path: Path):
    store = make(tmp_path / "s.zarr")
    quick(store.path, 0.01, epochs=4, lr=1e-2, select="loss")
    record = store.record("rdm-0.01")
    losses = [point["val_loss"] for point in record.attributes["curve"]]
    assert record.attributes["best_epoch"] == 1 + losses.index(min(losses))


def test_training_uses_the_rows_that_are_there(tmp_path: Path):
    """The validation rows are those that `train` and `evaluate` would hold out by the same seed and share."""
    store = make(tmp_path / "s.zarr")
    result = quick(store.path, 1)
    assert result.val_rows == len(split_rows(store.digests(), 0, 0.2)[1])


def test_the_store_stays_readable_for_those_who_know_no_rdms(trained: tuple[Store, Any]):
    store = open_store(trained[0].path)
    document = json.loads((store.path / "targets/teacher/zarr.json").read_text())
    assert "weights" not in document["attributes"]
    assert store.weights("teacher") is None
    stored = store.target("teacher").all("image_embedding")
    np.testing.assert_allclose(np.delete(stored, (3, 70), 0), np.delete(components()[0], (3, 70), 0), rtol=1e-5)

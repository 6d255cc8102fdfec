"""Weights kept with a target: a safetensors file that plain Zarr walks past, checked like everything else."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr
from safetensors.numpy import load_file, save
from storekit import CLASSES, build, labels, spec, stored_values, tree

from teachonce.cache import Store, open_store
from teachonce.cache.describe import describe
from teachonce.cache.export import export
from teachonce.cache.verify import read_weights
from teachonce.errors import CorruptError, InputError, MismatchError, UnsealedError
from teachonce.types import ArraySpec

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(1, np.float32)}
WEIGHTS = save(TENSORS)
FILE = "targets/teacher/weights/c/0"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return build(tmp_path / "s.zarr", spec_=spec(rows=100, views=1), failed={}, weights=WEIGHTS)


def test_they_come_back_as_they_were(store: Store):
    assert open_store(store.path).weights("teacher") == WEIGHTS
    assert store.verify() == ["teacher"]


def test_the_file_is_a_safetensors_file(store: Store):
    loaded = load_file(store.path / FILE)
    assert sorted(loaded) == ["a", "b"]
    np.testing.assert_array_equal(loaded["a"], TENSORS["a"])


def test_plain_zarr_sees_bytes_and_no_stranger(store: Store):
    group = zarr.open_group(store.path, mode="r")  # warnings are errors in this suite
    members = {name for name, _ in group.members(max_depth=None)}
    assert "targets/teacher/weights" in members
    assert "weights" in str(group.tree())
    assert group["targets/teacher/weights"][:].tobytes() == WEIGHTS


def test_targets_without_weights_have_none(tmp_path: Path):
    store = build(tmp_path / "s.zarr", spec_=spec(rows=100, views=1), failed={})
    assert store.weights("teacher") is None
    assert "weights" not in json.loads((store.path / "targets/teacher/zarr.json").read_text())["attributes"]
    assert describe(store.path)["targets"]["teacher"]["weights_bytes"] is None


def test_they_are_there_from_the_beginning(tmp_path: Path):
    store = build(tmp_path / "s.zarr", spec_=spec(rows=100, views=1), failed={}, weights=WEIGHTS, seal=False)
    assert read_weights(store.record("teacher")) == WEIGHTS
    with pytest.raises(UnsealedError):
        store.weights("teacher")


@pytest.mark.parametrize("weights", [None, save({"a": TENSORS["a"]})])
@pytest.mark.parametrize("seal", [True, False])
def test_a_target_is_not_gone_on_with_by_other_weights(tmp_path: Path, weights: bytes | None, seal: bool):
    common = {"spec_": spec(rows=100, views=1), "failed": {}, "seal": seal}
    build(tmp_path / "s.zarr", weights=WEIGHTS, **common)
    before = tree(tmp_path / "s.zarr")
    with pytest.raises(MismatchError, match="another weights"):
        build(tmp_path / "s.zarr", weights=weights, **common)
    assert tree(tmp_path / "s.zarr") == before


def test_no_bytes_are_no_weights(tmp_path: Path):
    with pytest.raises(InputError, match="are empty"):
        build(tmp_path / "s.zarr", weights=b"")
    assert not (tmp_path / "s.zarr/targets/teacher/zarr.json").exists()


def test_damage_is_seen_by_reading_and_by_verifying(store: Store):
    path = store.path / FILE
    path.write_bytes(WEIGHTS[:-1] + b"x")
    for look in (lambda: store.weights("teacher"), store.verify):
        with pytest.raises(CorruptError, match="weights/c/0"):
            look()
    path.write_bytes(WEIGHTS[:-1])
    with pytest.raises(CorruptError, match=f"expected {len(WEIGHTS)} bytes"):
        store.weights("teacher")
    path.unlink()
    with pytest.raises(CorruptError, match="weights/c/0"):
        store.verify()


@pytest.mark.parametrize("entry", [5, {}, {"bytes": 0, "chunks": {FILE: "0" * 32}}, {"bytes": 9, "chunks": {}}, []])
def test_an_attribute_that_is_none_is_refused(store: Store, entry: object):
    path = store.path / "targets/teacher/zarr.json"
    document = json.loads(path.read_text())
    document["attributes"]["weights"] = entry
    path.write_text(json.dumps(document))
    with pytest.raises(CorruptError, match="attributes"):
        open_store(store.path).weights("teacher")


def test_an_array_cannot_take_their_name(tmp_path: Path):
    with pytest.raises(InputError, match="weights"):
        build(tmp_path / "s.zarr", arrays={"weights": ArraySpec(shape=(4,), dtype="float32")})


def test_exports_have_them(store: Store, tmp_path: Path):
    export(store.path, tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5") as file:
        assert file["targets/teacher/weights"][:].tobytes() == WEIGHTS
    export(store.path, tmp_path / "npy", "npy")
    assert np.load(tmp_path / "npy/targets/teacher/weights.npy").tobytes() == WEIGHTS


def test_describe_says_how_large_they_are(store: Store):
    assert describe(store.path)["targets"]["teacher"]["weights_bytes"] == len(WEIGHTS)


def test_the_page_names_the_file_and_its_attribute(store: Store):
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    attributes = json.loads((store.path / "targets/teacher/zarr.json").read_text())["attributes"]
    assert f"`{FILE.replace('teacher', 'T')}`" in page
    assert "| `weights` | absent, or `{" in page
    assert all(f'"{key}"' in page for key in attributes["weights"])


def test_the_same_bytes_again(store: Store, tmp_path: Path):
    again = build(tmp_path / "again.zarr", spec_=spec(rows=100, views=1), failed={}, weights=WEIGHTS)
    assert tree(again.path) == tree(store.path)


def test_logits_alone_make_a_target(tmp_path: Path):
    """As the cnn preset has it: no embedding, so no class means, with labels all the same."""
    arrays = {"logits": ArraySpec(shape=(CLASSES,), dtype="float16")}
    store = build(tmp_path / "s.zarr", arrays=arrays, head=None, spec_=spec(rows=100, views=2), failed={})
    record = store.record("teacher")
    assert (record.class_grids, record.seal["classes"]) == ((), CLASSES)
    assert (record.spec.width("image_embedding"), record.spec.width("logits")) == (None, CLASSES)
    expected = stored_values("logits", arrays["logits"], 100)
    np.testing.assert_array_equal(store.target("teacher").all("logits", 1), expected[:, 1])
    assert (labels(100) >= 0).any()
    assert store.verify() == ["teacher"]
    assert describe(store.path)["targets"]["teacher"]["class_means"] is False

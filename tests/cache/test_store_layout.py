"""What plain Zarr sees of a store."""

import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from storekit import (
    ARRAYS,
    BLOCK_ROWS,
    BLOCKS,
    FAILURES,
    ROWS,
    VIEWS,
    build,
    head,
    labels,
    params,
    spec,
    stored_values,
    tree,
)

from teachonce.cache import Store, default_block_rows, open_store
from teachonce.cache.documents import array_document
from teachonce.types import ArraySpec

MEMBERS = {
    "classes", "classes/teacher", "classes/teacher/count", "classes/teacher/mean", "journal", "samples",
    "samples/digest", "samples/label", "samples/status", "targets", "targets/teacher", "targets/teacher/head",
    "targets/teacher/head/bias", "targets/teacher/head/weight", "targets/teacher/image_embedding",
    "targets/teacher/logits", "targets/teacher/status", "views", "views/params",
}  # fmt: skip


def test_there_are_many_blocks(store: Store):
    assert store.blocks == BLOCKS >= 10
    assert store.block_range(BLOCKS - 1) == (576, 581)


def test_plain_zarr_walks_it_without_a_warning(made: Path):
    # warnings are errors in this suite
    group = zarr.open_group(made, mode="r")
    assert {name for name, _ in group.members(max_depth=None)} == MEMBERS
    assert "image_embedding" in str(group.tree())
    assert group.attrs["format"] == 1
    assert group.attrs["block_rows"] == BLOCK_ROWS


def test_plain_zarr_reads_every_value(made: Path):
    group = zarr.open_group(made, mode="r")
    failed = sorted(FAILURES)
    for name, array in ARRAYS.items():
        expected = stored_values(name, array)
        expected[failed] = np.nan if array.dtype == "float16" else 0x7FC0
        np.testing.assert_array_equal(group[f"targets/teacher/{name}"][:], expected)
    assert group["targets/teacher/logits"].attrs["dtype"] == "bfloat16"
    views = params(ROWS, VIEWS)
    views[failed] = np.nan
    np.testing.assert_array_equal(group["views/params"][:], views)
    np.testing.assert_array_equal(group["samples/digest"][:], np.arange(ROWS, dtype=np.uint64) * 3)
    np.testing.assert_array_equal(group["samples/label"][:], labels())
    for place in ("samples", "targets/teacher"):
        status = group[f"{place}/status"][:]
        assert np.flatnonzero(status == 2).tolist() == failed
        assert np.count_nonzero(status == 1) == ROWS - len(failed)
    weight, bias = head()
    np.testing.assert_array_equal(group["targets/teacher/head/weight"][:], weight)
    np.testing.assert_array_equal(group["targets/teacher/head/bias"][:], bias)


def test_float32_targets(tmp_path: Path):
    arrays = {"image_embedding": ArraySpec(shape=(8,), dtype="float32")}
    build(tmp_path / "s.zarr", arrays=arrays, head=None, failed={})
    read = zarr.open_group(tmp_path / "s.zarr", mode="r")["targets/teacher/image_embedding"]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read[:], stored_values("image_embedding", arrays["image_embedding"]))


def test_the_last_chunk_is_padded_with_the_fill_value(made: Path):
    target = made / "targets/teacher"
    embedding = np.fromfile(target / "image_embedding/c/9/1/0", "<f2").reshape(BLOCK_ROWS, 32)
    logits = np.fromfile(target / "logits/c/9/1/0", "<u2").reshape(BLOCK_ROWS, 10)
    assert np.isfinite(embedding[:4]).all()
    assert np.isnan(embedding[4:]).all()  # the last row failed, the rest is padding
    assert (logits[4:] == 0x7FC0).all()
    assert (np.fromfile(made / "samples/label/c/9", "<i4")[5:] == -1).all()
    assert (np.fromfile(made / "samples/digest/c/9", "<u8")[5:] == 0).all()
    assert (np.fromfile(target / "status/c/9", "u1")[5:] == 0).all()


def test_no_chunk_is_left_out(tmp_path: Path):
    """A block in which every row failed holds nothing but the fill value, and is written all the same."""
    failed = dict.fromkeys(range(128), "missing")
    build(tmp_path / "s.zarr", failed=failed, seal=False)
    for block in (0, 1):
        assert np.isnan(np.fromfile(tmp_path / f"s.zarr/targets/teacher/image_embedding/c/{block}/0/0", "<f2")).all()


def test_documents_are_those_that_zarr_makes(made: Path, store: Store, tmp_path: Path):
    for grid in (*store.journal.grids, *store.record("teacher").grids):
        group = zarr.create_group(tmp_path / grid.path.replace("/", "-"))
        group.create_array(
            "a",
            shape=grid.shape,
            chunks=grid.chunk,
            dtype=grid.numpy,
            fill_value=np.nan if grid.numpy.kind == "f" else array_document(grid)["fill_value"],
            compressors=None,
            filters=None,
            dimension_names=grid.axes,
            attributes=array_document(grid)["attributes"],
        )
        theirs = json.loads((tmp_path / grid.path.replace("/", "-") / "a/zarr.json").read_text())
        ours = json.loads((made / grid.path / "zarr.json").read_text())
        if grid.dtype == "uint8":  # zarr 3.0 names an order of one byte, later ones do not
            theirs["codecs"][0].pop("configuration", None)
        assert ours == theirs


def test_a_byte_may_have_an_order(copy: Path):
    path = copy / "targets/teacher/status/zarr.json"
    document = json.loads(path.read_text())
    document["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}]
    path.write_text(json.dumps(document))
    assert open_store(copy).verify() == ["teacher"]


def test_two_runs_make_the_same_bytes_elsewhere_and_later(made: Path, tmp_path: Path):
    build(tmp_path / "again.zarr")
    assert tree(tmp_path / "again.zarr") == tree(made)


@pytest.mark.parametrize(
    ("dim", "itemsize", "rows"), [(768, 2, 2048), (768, 4, 1024), (10, 2, 65_536), (1, 1, 65_536), (1 << 20, 4, 64)]
)
def test_block_length_for_chunks_of_four_mebibytes(dim: int, itemsize: int, rows: int):
    assert default_block_rows(dim, itemsize) == rows


def test_one_row_and_one_view(tmp_path: Path):
    store = build(tmp_path / "s.zarr", spec_=spec(rows=1, views=1), failed={})
    assert store.blocks == 1
    assert store.target("teacher").all("image_embedding").shape == (1, 32)


def test_as_many_rows_as_a_block(tmp_path: Path):
    build(tmp_path / "s.zarr", spec_=spec(rows=64, views=1), failed={})
    read = zarr.open_group(tmp_path / "s.zarr", mode="r")["targets/teacher/image_embedding"]
    np.testing.assert_array_equal(read[:], stored_values("image_embedding", ARRAYS["image_embedding"], 64, 1))

"""Damaged and hostile stores: one clear error, never a traceback of another kind."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from storekit import BLOCKS, build, tree

from teachonce.cache import open_store
from teachonce.cache.describe import describe
from teachonce.cache.export import export
from teachonce.errors import CorruptError, MismatchError, StoreError, StoreMissingError, TeachonceError, UnsealedError


def flip(path: Path, position: int = 40) -> None:
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 1
    path.write_bytes(data)


def change(path: Path, edit: Callable[[Any], None]) -> None:
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


class TestVerify:
    def test_a_sound_store(self, made: Path):
        open_store(made).target("teacher").verify()
        assert open_store(made).verify() == ["teacher"]

    @pytest.mark.parametrize(
        "chunk",
        [
            "targets/teacher/image_embedding/c/0/0/0",
            "targets/teacher/image_embedding/c/9/1/0",  # in the padding
            "targets/teacher/logits/c/6/1/0",
            "targets/teacher/status/c/5",
            "targets/teacher/head/weight/c/0/0",
            "targets/teacher/head/bias/c/0",
            "classes/teacher/mean/c/0/0",
            "classes/teacher/count/c/0",
        ],
    )
    def test_a_flipped_bit_names_the_chunk(self, copy: Path, chunk: str):
        flip(copy / chunk, position=-1)
        with pytest.raises(CorruptError) as caught:
            open_store(copy).target("teacher").verify()
        assert chunk in caught.value.message
        assert caught.value.mend

    @pytest.mark.parametrize(
        "chunk", ["samples/digest/c/1", "samples/label/c/9", "samples/status/c/0", "views/params/c/4/1/0"]
    )
    def test_a_flipped_bit_in_the_samples(self, copy: Path, chunk: str):
        flip(copy / chunk)
        with pytest.raises(CorruptError, match=chunk):
            open_store(copy).verify()

    @pytest.mark.parametrize("chunk", ["image_embedding/c/3/0/0", "status/c/3"])
    def test_a_missing_or_short_chunk(self, copy: Path, chunk: str):
        path = copy / "targets/teacher" / chunk
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(CorruptError, match=chunk):
            open_store(copy).target("teacher").verify()
        path.unlink()
        with pytest.raises(CorruptError, match=chunk):
            open_store(copy).target("teacher").verify()

    def test_records_that_are_not_those_that_were_sealed(self, copy: Path):
        change(copy / "journal/teacher/000002.json", lambda record: record.update(failed=[[130, "missing"]]))
        with pytest.raises(CorruptError, match="journal/teacher"):
            open_store(copy).target("teacher").verify()
        (copy / "journal/teacher/000002.json").unlink()
        with pytest.raises(CorruptError, match=r"000002\.json"):
            open_store(copy).target("teacher").verify()

    def test_a_fingerprint_that_is_not_that_of_its_fields(self, copy: Path):
        edit = lambda document: document["attributes"]["fingerprint_fields"].update(dtype="bfloat16")  # noqa: E731
        change(copy / "targets/teacher/zarr.json", edit)
        with pytest.raises(CorruptError, match="targets/teacher"):
            open_store(copy).target("teacher").verify()

    def test_unsealed_samples_cannot_be_verified(self, tmp_path: Path):
        build(tmp_path / "s.zarr", seal=False)
        with pytest.raises(UnsealedError, match="10 of 10"):
            open_store(tmp_path / "s.zarr").verify()


def use(path: Path) -> None:
    """Everything a user may do with a store."""
    store = open_store(path)
    describe(path)
    store.verify()
    store.labels()
    store.view_params()
    reader = store.target("teacher")
    reader.read("image_embedding", np.arange(5))
    store.class_means("teacher")
    store.head("teacher")


class TestHostile:
    def test_nothing_there(self, tmp_path: Path):
        for path in (tmp_path / "no.zarr", tmp_path):
            with pytest.raises(StoreMissingError, match=r"no store|not a store") as caught:
                open_store(path)
            assert "teachonce embed" in caught.value.mend
        (tmp_path / "file").write_bytes(b"x")
        with pytest.raises(StoreMissingError):
            open_store(tmp_path / "file")

    def test_a_group_of_somebody_else(self, tmp_path: Path):
        zarr.create_group(tmp_path / "other.zarr", attributes={"format": 1})
        with pytest.raises(StoreMissingError, match="not a store of teachonce"):
            open_store(tmp_path / "other.zarr")

    @pytest.mark.parametrize("value", [2, "1", None, 0])
    def test_another_format(self, copy: Path, value: Any):
        change(copy / "zarr.json", lambda document: document["attributes"].update(format=value))
        with pytest.raises(MismatchError, match="expected format 1, got") as caught:
            open_store(copy)
        assert "Update teachonce" in caught.value.mend

    def test_no_journal(self, copy: Path):
        shutil.rmtree(copy / "journal")
        with pytest.raises(CorruptError, match="no journal"):
            open_store(copy)

    @pytest.mark.parametrize("name", ["samples", "teacher"])
    def test_no_journal_of_a_target(self, copy: Path, name: str):
        shutil.rmtree(copy / "journal" / name)
        with pytest.raises(CorruptError, match=f"journal/{name}"):
            open_store(copy).verify()

    DOCUMENTS = (
        "zarr.json",
        "samples/zarr.json",
        "samples/label/zarr.json",
        "targets/teacher/zarr.json",
        "targets/teacher/logits/zarr.json",
        "targets/teacher/status/zarr.json",
        "targets/teacher/head/weight/zarr.json",
        "classes/teacher/mean/zarr.json",
    )

    @pytest.mark.parametrize("place", DOCUMENTS)
    @pytest.mark.parametrize(
        "content",
        [b"", b"garbage", b"[]", b"7", b"\xff\xff", b"{}", b'{"zarr_format": 2}',
         b'{"zarr_format": 3, "node_type": "array"}', b'{"zarr_format": 3, "node_type": "group", "attributes": 3}',
         b'{"zarr_format": 3, "node_type": "group", "attributes": {}}', b"[" * 100_000],
        ids=range(11),
    )  # fmt: skip
    def test_garbage_in_a_document(self, copy: Path, place: str, content: bytes):
        (copy / place).write_bytes(content)
        with pytest.raises(StoreError) as caught:
            use(copy)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500

    @pytest.mark.parametrize("place", DOCUMENTS)
    def test_a_document_that_is_not_there(self, copy: Path, place: str):
        (copy / place).unlink()
        with pytest.raises(StoreError):
            use(copy)

    @pytest.mark.parametrize(
        ("place", "field", "value"),
        [
            ("targets/teacher/logits", "shape", [581, 2, 11]),
            ("targets/teacher/logits", "shape", [580, 2, 10]),
            ("targets/teacher/logits", "data_type", "float16"),
            ("targets/teacher/image_embedding", "codecs", [{"name": "bytes"}, {"name": "zstd"}]),
            ("targets/teacher/image_embedding", "fill_value", 0.0),
            ("targets/teacher/status", "chunk_key_encoding", {"name": "v2"}),
            ("samples/digest", "chunk_grid", {"name": "regular", "configuration": {"chunk_shape": [32]}}),
            ("classes/teacher/mean", "shape", [11, 32]),
            ("targets/teacher/head/weight", "shape", "many"),
        ],
    )
    def test_an_array_that_is_not_what_the_attributes_say(self, copy: Path, place: str, field: str, value: Any):
        change(copy / place / "zarr.json", lambda document: document.update({field: value}))
        with pytest.raises(CorruptError, match=place):
            use(copy)

    @pytest.mark.parametrize("value", [None, -1, "x", [], 10**30, True, 1.5])
    @pytest.mark.parametrize("field", ["rows", "views", "block_rows", "identity", "data", "views_spec"])
    def test_root_attributes_that_cannot_be(self, copy: Path, field: str, value: Any):
        change(copy / "zarr.json", lambda document: document["attributes"].update({field: value}))
        with pytest.raises(StoreError):
            use(copy)

    @pytest.mark.parametrize("field", ["rows", "block_rows", "identity", "data", "kind"])
    def test_root_attributes_that_are_missing(self, copy: Path, field: str):
        change(copy / "zarr.json", lambda document: document["attributes"].pop(field))
        with pytest.raises(StoreError):
            use(copy)

    @pytest.mark.parametrize(
        "edit",
        [
            {"seal": None},
            {"seal": []},
            {"seal": {}},
            {"seal": {"rows": 5, "blocks": 1, "failed": 0, "journal": "", "chunks": {}}},
            {"arrays": {}},
            {"arrays": None},
            {"arrays": {"logits": {"shape": [581, 2], "dtype": "float16"}}},
            {"arrays": {"logits": {"shape": [581, 2, 10], "dtype": "float8"}}},
            {"arrays": {"../../x": {"shape": [581, 2, 10], "dtype": "float16"}}},
            {"info": 3},
            {"fingerprint_fields": None},
            {"head": {"classes": "x"}},
            {"head": 5},
            {"head": {"classes": 10, "features": 32, "bias": False, "chunks": {"../../x": "0" * 32}}},
            {"head": {"classes": -1, "features": 32, "bias": False, "chunks": {}}},
        ],
        ids=str,
    )
    def test_target_attributes_that_cannot_be(self, copy: Path, edit: dict[str, Any]):
        change(copy / "targets/teacher/zarr.json", lambda document: document["attributes"].update(edit))
        with pytest.raises(StoreError) as caught:
            use(copy)
        assert len(str(caught.value)) < 500

    def test_sealed_samples_without_a_seal(self, copy: Path):
        change(copy / "samples/zarr.json", lambda document: document["attributes"].update(seal=[1]))
        with pytest.raises(CorruptError):
            use(copy)

    def test_committed_blocks_whose_attributes_were_lost_are_not_thrown_away(self, copy: Path, made: Path):
        (copy / "targets/teacher/zarr.json").unlink()
        before = tree(copy)
        with pytest.raises(CorruptError, match="is missing, but the target has blocks") as caught:
            build(copy)
        assert tree(copy) == before
        assert f"remove {copy / 'targets/teacher'}" in caught.value.mend
        shutil.rmtree(copy / "targets/teacher")
        build(copy)
        assert tree(copy) == tree(made)

    def test_a_record_may_not_point_outside(self, copy: Path):
        path = copy / "journal/teacher/000000.json"
        change(path, lambda record: record["chunks"].update({"../../../etc/passwd": "0" * 32}))
        with pytest.raises(CorruptError, match="not the record of block 0"):
            open_store(copy).target("teacher").verify()

    def test_a_missing_chunk_of_the_samples(self, copy: Path):
        (copy / "samples/label/c/3").unlink()
        with pytest.raises(CorruptError, match="samples/label/c/3"):
            open_store(copy).labels()

    def test_every_kind_of_damage_to_every_small_file(self, copy: Path, tmp_path: Path):
        """Cut each document and record in two places: whatever comes out is an error of ours, or works."""
        documents = [
            *copy.rglob("zarr.json"),
            copy / "journal/teacher/000000.json",
            copy / "journal/samples/000009.json",
        ]
        for document in documents:
            data = document.read_bytes()
            for cut in (len(data) // 3, len(data) - 3):
                document.write_bytes(data[:cut])
                try:
                    use(copy)
                except TeachonceError:
                    pass
                except RecursionError:
                    pytest.fail(f"{document} cut at {cut}")
                document.write_bytes(data)
        use(copy)
        assert export(copy, tmp_path / "out.h5").exists()
        assert open_store(copy).blocks == BLOCKS

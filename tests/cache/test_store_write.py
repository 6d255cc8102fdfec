"""Writing: resume, refusal, failed rows, full disks."""

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from storekit import (
    ARRAYS,
    BLOCKS,
    FAILURES,
    FINGERPRINT,
    HALF,
    ROWS,
    SETTINGS,
    build,
    commit_samples,
    commit_target,
    open_writer,
    seal_target,
    spec,
    status,
    stored_values,
    tree,
)
from test_fsio import failing

from teachonce import fsio
from teachonce.cache import SamplesWriter, create_or_open, open_store
from teachonce.errors import (
    DiskError,
    FailedSamplesError,
    InputError,
    MismatchError,
    NonFiniteError,
    StoreError,
    UnsealedError,
)
from teachonce.types import ArraySpec


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all files that are written from now on."""
    real, seen = fsio._stage, []

    def stage(path: Path, data: Any) -> Path:
        seen.append(str(path))
        return real(path, data)

    monkeypatch.setattr(fsio, "_stage", stage)
    return seen


def committed(writes: list[str]) -> list[int]:
    return [int(Path(path).stem) for path in writes if "journal/teacher/" in path]


class TestResume:
    def test_redoes_only_what_has_no_record(self, half: Path, made: Path, writes: list[str]):
        build(half)
        assert committed(writes) == list(range(HALF, BLOCKS))
        assert not [path for path in writes if "/c/3" in path and "/c/3/" not in path]
        assert tree(half) == tree(made)

    def test_a_finished_store_is_not_written_at_all(self, copy: Path, writes: list[str]):
        build(copy)
        assert writes == []

    @pytest.mark.parametrize("damage", ["missing", "shorter", "longer"])
    @pytest.mark.parametrize("chunk", ["image_embedding/c/2/1/0", "logits/c/2/0/0", "status/c/2"])
    def test_a_record_whose_chunk_is_not_there_in_full_is_not_valid(
        self, half: Path, made: Path, writes: list[str], damage: str, chunk: str
    ):
        path = half / "targets/teacher" / chunk
        data = path.read_bytes()
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(data[:-1] if damage == "shorter" else data + b"\0")
        build(half)
        assert committed(writes) == [2, *range(HALF, BLOCKS)]
        assert tree(half) == tree(made)

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"block": 3}', b"\xff\xfe", None])
    def test_a_broken_record_is_not_valid(self, half: Path, made: Path, writes: list[str], content: bytes | None):
        record = half / "journal/teacher/000003.json"
        other = half / "journal/teacher/000004.json"
        record.write_bytes(other.read_bytes() if content is None else content)
        build(half)
        assert committed(writes) == [3, *range(HALF, BLOCKS)]
        assert tree(half) == tree(made)

    def test_left_over_temporaries_are_removed(self, half: Path, made: Path):
        places = ["journal/teacher/{}000007.json", "targets/teacher/logits/c/7/0/{}0", "targets/teacher/{}zarr.json"]
        places += ["targets/teacher/status/c/{}7", "samples/{}zarr.json", "classes/teacher/mean/c/0/{}0"]
        for place in places:
            path = half / place.format(f"{fsio.TEMPORARY}77-5-")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"half")
        build(half)
        assert tree(half) == tree(made)

    def test_how_far_it_is(self, half: Path):
        store = open_store(half)
        record = store.targets()["teacher"]
        assert (record.sealed, record.blocks_done, record.blocks, record.failed) == (False, HALF, BLOCKS, 2)
        with pytest.raises(UnsealedError, match="5 of 10 blocks") as caught:
            store.target("teacher")
        assert "teachonce embed" in caught.value.mend
        with pytest.raises(UnsealedError, match="5 of 10 blocks"):
            store.labels()
        with pytest.raises(UnsealedError):
            store.class_means("teacher")
        with pytest.raises(UnsealedError):
            store.head("teacher")


class TestRefusal:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            (
                {"fingerprint": {**FINGERPRINT, "teacher": {"weights": "beef"}}},
                "teacher weights: expected 0a1b, got beef",
            ),
            ({"fingerprint": {**FINGERPRINT, "extra": 1}}, "extra: expected nothing, got 1"),
            ({"settings": {**SETTINGS, "batch_size": 64}}, "batch size: expected 32, got 64"),
            ({"settings": {**SETTINGS, "compute_dtype": "bfloat16"}}, "compute dtype: expected float32, got bfloat16"),
            ({"kind": "encoder"}, "kind: expected classifier, got encoder"),
            (
                {"arrays": {**ARRAYS, "logits": ArraySpec(shape=(10,), dtype="float16")}},
                "array logits dtype: expected bfloat16, got float16",
            ),
            ({"arrays": {"logits": ARRAYS["logits"]}}, "array image embedding: expected {"),
        ],
    )
    @pytest.mark.parametrize("state", ["half", "copy"])
    def test_another_beginning(self, request: pytest.FixtureRequest, state: str, changes: dict[str, Any], words: str):
        path = request.getfixturevalue(state)
        before = tree(path)
        with pytest.raises(MismatchError) as caught:
            open_writer(open_store(path), **changes)
        assert words in caught.value.message
        assert "--name" in caught.value.mend
        assert tree(path) == before

    def test_what_is_only_recorded_may_differ(self, half: Path, made: Path):
        build(half, info={"versions": {"numpy": "3"}})
        assert tree(half) == tree(made)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"rows": 1000}, "rows: expected 581, got 1000"),
            ({"views": 3}, "views: expected 2, got 3"),
            ({"block_rows": 128}, "block rows: expected 64, got 128"),
            ({"identity": "encoded"}, "identity: expected array, got encoded"),
            ({"data": {"description": "other", "class_names": list("abcdefghij")}}, "data description: expected made"),
            ({"views_spec": {"augment": None, "seed": 0}}, "views spec augment: expected crop=0.35,flip, got nothing"),
        ],
    )
    def test_another_store(self, copy: Path, changes: dict[str, Any], words: str):
        before = tree(copy)
        with pytest.raises(MismatchError) as caught:
            create_or_open(copy, spec(**changes))
        assert words in caught.value.message
        assert tree(copy) == before

    @pytest.mark.parametrize("changes", [{"rows": 0}, {"views": 0}, {"block_rows": 63}, {"identity": "name"}])
    def test_a_spec_that_cannot_be(self, tmp_path: Path, changes: dict[str, Any]):
        with pytest.raises(InputError):
            create_or_open(tmp_path / "s.zarr", spec(**changes))
        assert not list(tmp_path.iterdir())

    def test_a_folder_of_something_else(self, tmp_path: Path):
        (tmp_path / "samples").mkdir()
        (tmp_path / "samples" / "cat.png").write_bytes(b"")
        before = tree(tmp_path)
        with pytest.raises(StoreError, match=r"not empty and not a store: it has cat\.png"):
            create_or_open(tmp_path, spec())
        assert tree(tmp_path) == before
        with pytest.raises(StoreError, match="is a file"):
            create_or_open(tmp_path / "samples" / "cat.png", spec())

    @pytest.mark.parametrize("name", ["samples", "", "a/b", "..", ".x", "lock", "zarr.json", "x" * 65, "a b"])
    def test_a_name_that_cannot_be(self, copy: Path, name: str):
        with pytest.raises(InputError, match="name of a target"):
            open_writer(open_store(copy), name)

    def test_a_sealed_target_cannot_change(self, copy: Path):
        store = open_store(copy)
        with open_writer(store) as target, SamplesWriter(store) as samples:
            assert target.sealed
            assert samples.sealed
            assert target.done() == samples.done() == set(range(BLOCKS))
            with pytest.raises(StoreError, match="sealed"):
                commit_target(store, target, 0)
            with pytest.raises(StoreError, match="sealed"):
                commit_samples(store, samples, 0)


class TestValues:
    @pytest.mark.parametrize("array", ["image_embedding", "logits"])
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_non_finite_values_are_refused(self, half: Path, array: str, value: float):
        store = open_store(half)
        before = tree(half)
        start, stop = store.block_range(7)
        arrays = {name: stored_values(name, given)[start:stop] for name, given in ARRAYS.items()}
        bits = {"image_embedding": np.float16(value), "logits": np.float32(value).view(np.uint32) >> 16}[array]
        arrays[array][9, 1, 3] = bits
        with open_writer(store) as target:
            with pytest.raises(NonFiniteError, match=rf"{array}: row {start + 9} ") as caught:
                target.commit(7, arrays, status(start, stop, {}), {})
            assert "--dtype bfloat16 or float32" in caught.value.mend
            assert tree(half) == before
            target.commit(7, arrays, status(start, stop, {start + 9: "nan"}), {start + 9: "nan"})
        assert 7 in open_writer(store).done()

    @pytest.mark.parametrize(
        ("arrays", "words"),
        [
            ({"logits": np.zeros((64, 2, 10), "<u2")}, "expected the arrays"),
            ({"image_embedding": np.zeros((64, 2, 32), "<f4")}, "expected .*float16, got .*float32"),
            ({"image_embedding": np.zeros((63, 2, 32), "<f2")}, r"expected \(64, 2, 32\) float16, got \(63, 2, 32\)"),
        ],
    )
    def test_arrays_that_are_not_the_blocks(self, half: Path, arrays: dict[str, np.ndarray], words: str):
        given = arrays if "logits" in arrays else {"logits": np.zeros((64, 2, 10), "<u2"), **arrays}
        with open_writer(open_store(half)) as target, pytest.raises(InputError, match=words):
            target.commit(7, given, np.ones(64, np.uint8), {})

    @pytest.mark.parametrize(
        "failed", [{64 * 7: "Some text: /home"}, {5: "missing"}, {64 * 7: ""}], ids=["text", "row", "empty"]
    )
    def test_failures_are_rows_of_the_block_with_fixed_codes(self, half: Path, failed: dict[int, str]):
        store = open_store(half)
        marks = np.ones(64, np.uint8)
        marks[0] = 2
        arrays = {name: stored_values(name, given)[448:512] for name, given in ARRAYS.items()}
        with open_writer(store) as target, pytest.raises(InputError):
            target.commit(7, arrays, marks, failed)

    def test_blocks_are_those_of_the_writer(self, half: Path):
        store = open_store(half)
        with open_writer(store, blocks=range(7, 9)) as target:
            assert target.done() == set()
            with pytest.raises(InputError, match="block 9"):
                commit_target(store, target, 9)
        with pytest.raises(InputError, match="blocks"):
            open_writer(store, blocks=range(7, 11))


class TestSeal:
    def test_needs_every_block(self, half: Path):
        with open_writer(open_store(half)) as target, pytest.raises(UnsealedError, match="samples"):
            seal_target(target)
        with SamplesWriter(open_store(half)) as samples, pytest.raises(UnsealedError, match=r"5 of 10.* block 5"):
            samples.seal()

    def test_more_failures_than_allowed_then_a_larger_limit(self, half: Path, made: Path, writes: list[str]):
        build(half, seal=False)
        store = open_store(half)
        with SamplesWriter(store) as samples:
            samples.seal()
        with open_writer(store) as target:
            assert target.failed() == FAILURES
            with pytest.raises(
                FailedSamplesError, match=r"3 samples failed, 2 are allowed: row 5 \(truncated\), row 64"
            ):
                seal_target(target, max_failed=2)
        assert not open_store(half).targets()["teacher"].sealed
        writes.clear()
        with open_writer(store) as target:
            assert target.done() == set(range(BLOCKS))
            seal_target(target, max_failed=3)
            assert target.sealed
        assert committed(writes) == []
        assert tree(half) == tree(made)

    def test_lists_the_first_ten(self, tmp_path: Path):
        failed = dict.fromkeys(range(100, 112), "missing")
        with pytest.raises(FailedSamplesError, match=r"row 109 \(missing\) and 2 more") as caught:
            build(tmp_path / "s.zarr", failed=failed)
        assert "--max-failed 12" in caught.value.mend

    def test_says_how_many(self, made: Path):
        record = open_store(made).targets()["teacher"]
        assert record.seal["rows"] == ROWS
        assert record.seal["failed"] == record.failed == 3
        assert record.attributes["per_class"] == 20
        assert record.attributes["batch_size"] == 32
        assert open_store(made).samples_sealed


class TestDisk:
    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
    @pytest.mark.parametrize("number", [1, 2, 13, 17, 20, 23, 25, 60, -8, -7, -5, -2, -1], ids=str)
    def test_a_failed_write_loses_nothing(
        self, tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch, code: int, number: int
    ):
        path = tmp_path / "s.zarr"
        whole = sum(file.is_file() and file.name != "lock" for file in made.rglob("*")) + 2  # two seals rewrite
        with monkeypatch.context() as patch:
            patch.setattr(fsio, "_write_all", failing(number if number > 0 else whole + 1 + number, code))
            with pytest.raises(DiskError, match="could not write") as caught:
                build(path)
            assert caught.value.mend
        assert not list(path.rglob(f"{fsio.TEMPORARY}*"))
        build(path)
        assert tree(path) == tree(made)

    def test_the_same_writer_goes_on(self, tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch):
        store = create_or_open(tmp_path / "s.zarr", spec())
        with SamplesWriter(store) as samples, open_writer(store) as target:
            for block in range(BLOCKS):
                commit_samples(store, samples, block)
                with monkeypatch.context() as patch:
                    patch.setattr(fsio, "_write_all", failing(block % 6 + 1, errno.ENOSPC))
                    with pytest.raises(DiskError):
                        commit_target(store, target, block)
                assert block not in target.done()
                commit_target(store, target, block)
            samples.seal()
            seal_target(target)
        assert tree(store.path) == tree(made)


def test_the_record_is_written_when_the_chunks_are_durable(half: Path, monkeypatch: pytest.MonkeyPatch):
    """fsync of each chunk, rename of each, sync of their folders; only then the record, in the same way."""
    steps: list[tuple[str, str]] = []
    real_stage, real_replace, real_sync = fsio._stage, Path.replace, fsio.sync_folder

    def note(what: str, path: Path) -> None:
        steps.append((what, str(path.relative_to(half))))

    monkeypatch.setattr(fsio, "_stage", lambda path, data: (note("write", path), real_stage(path, data))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (note("rename", to), real_replace(self, to))[1])
    monkeypatch.setattr(fsio, "sync_folder", lambda folder: (note("sync", folder), real_sync(folder))[1])
    store = open_store(half)
    with open_writer(store) as target:
        steps.clear()
        commit_target(store, target, 7)
    place = "targets/teacher"
    arrays = ["status/c/7", *(f"{name}/c/7/{view}/0" for name in sorted(ARRAYS) for view in (0, 1))]
    chunks = [f"{place}/{array}" for array in arrays]
    assert steps[:10] == [("write", chunk) for chunk in chunks] + [("rename", chunk) for chunk in chunks]
    record, folders = "journal/teacher/000007.json", steps[10:-3]
    assert steps[-3:] == [("write", record), ("rename", record), ("sync", "journal/teacher")]
    expected = {f"{place}/status/c"} | {
        f"{place}/{name}/c{end}" for name in ARRAYS for end in ("", "/7", "/7/0", "/7/1")
    }
    assert {what for what, _ in folders} == {"sync"}
    assert {folder for _, folder in folders} == expected


def test_a_half_written_store_is_walked_without_a_warning(half: Path):
    group = zarr.open_group(half, mode="r")
    assert "targets/teacher/logits" in {name for name, _ in group.members(max_depth=None)}
    assert np.isnan(group["targets/teacher/image_embedding"][-1]).all()


def test_records_hold_codes_and_digests_only(made: Path):
    record = json.loads((made / "journal/teacher/000000.json").read_text())
    assert set(record) == {"block", "chunks", "failed"}
    assert record["failed"] == [[5, "truncated"]]
    assert all(len(digest) == 32 for digest in record["chunks"].values())
    assert len(record["chunks"]) == 5

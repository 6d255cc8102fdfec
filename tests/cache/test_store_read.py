"""Reading: every tier gives what plain Zarr gives, in any process, and refuses damaged files."""

import gc
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from storekit import ARRAYS, BLOCKS, CLASSES, ROWS, VIEWS, build, head, labels, params, read_some, spec

from teachonce.cache import Store, TargetReader, create_or_open, mapping, open_store
from teachonce.cache.rows import FlatRows, LoopRows, SlotRows, chunk_keys, mapped_rows, resident_rows
from teachonce.errors import CorruptError, InputError, StoreMissingError
from teachonce.types import ArraySpec, TargetSpec

SOURCES = {"image_embedding": FlatRows, "logits": SlotRows}
index = st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(0, VIEWS - 1)), max_size=70)


@pytest.fixture(scope="module")
def plain(made: Path) -> dict[str, zarr.Array]:
    group = zarr.open_group(made, mode="r")["targets/teacher"]
    return {name: group[name] for name in ARRAYS}


@pytest.fixture(scope="module")
def whole(plain: dict[str, zarr.Array]) -> dict[str, np.ndarray]:
    return {name: array[:] for name, array in plain.items()}


@pytest.fixture(scope="module", params=["resident", "mapped", "loop"])
def reader(request: pytest.FixtureRequest, made: Path) -> TargetReader:
    """One reader of each kind; `loop` is what a system without side-by-side maps gets."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "loop":
            patch.setattr(mapping, "AVAILABLE", False)
        budget = 1 << 30 if request.param == "resident" else 0
        opened = open_store(made).target("teacher", budget_bytes=budget)
        for array in ARRAYS:
            opened.read(array, np.zeros(1, np.int64))
        return opened


def test_the_reader_says_which_tier(store: Store):
    assert store.target("teacher").tier == "resident"
    assert store.target("teacher", budget_bytes=0).tier == "mapped"
    size = sum(grid.file_bytes for grid in store.record("teacher").grids if grid.name in ARRAYS)
    assert store.target("teacher", budget_bytes=size).tier == "resident"
    assert store.target("teacher", budget_bytes=size - 1).tier == "mapped"


def test_pages_decide_how_chunks_are_mapped(store: Store):
    for grid in store.record("teacher").grids:
        if grid.name in ARRAYS:
            assert isinstance(mapped_rows(store.path, grid), SOURCES[grid.name])
            assert isinstance(resident_rows(store.record("teacher").chunks, grid), FlatRows)


def test_too_many_maps_fall_back_to_the_loop(store: Store, monkeypatch: pytest.MonkeyPatch):
    grid = store.record("teacher").grids[1]
    monkeypatch.setattr(mapping, "_MOST", BLOCKS)
    source = mapped_rows(store.path, grid)
    assert isinstance(source, LoopRows)
    monkeypatch.setattr(mapping, "_MOST", 1000)
    monkeypatch.setattr(mapping, "_mmap", lambda *_: (_ for _ in ()).throw(mapping.MappingError("no memory")))
    assert isinstance(mapped_rows(store.path, grid), LoopRows)


def test_what_it_offers(store: Store):
    arrays = store.record("teacher").arrays
    assert store.target("teacher").spec == TargetSpec(
        name="teacher", rows=ROWS, views=VIEWS, class_names=tuple("abcdefghij"), arrays=arrays
    )  # fmt: skip
    assert store.target("teacher").spec.width("image_embedding") == 32
    assert arrays["logits"].shape == (ROWS, VIEWS, CLASSES)
    assert arrays["logits"].dtype == "bfloat16"


@settings(max_examples=60, deadline=None)
@given(chosen=index, array=st.sampled_from(sorted(ARRAYS)))
def test_reads_what_plain_zarr_selects(
    reader: TargetReader,
    plain: dict[str, zarr.Array],
    whole: dict[str, np.ndarray],
    chosen: list[tuple[int, int]],
    array: str,
):
    numbers = np.array([row for row, _ in chosen], dtype=np.int64)
    views = np.array([view for _, view in chosen], dtype=np.int64)
    expected = whole[array][numbers, views]
    read = reader.read(array, numbers, views)
    assert read.dtype == expected.dtype
    assert read.shape == (len(chosen), expected.shape[-1])
    np.testing.assert_array_equal(read, expected)
    if len(chosen):
        np.testing.assert_array_equal(
            reader.read(array, numbers, int(views[0])), plain[array].oindex[numbers, int(views[0])]
        )


@pytest.mark.parametrize("array", sorted(ARRAYS))
@pytest.mark.parametrize("view", [0, 1])
def test_reads_a_whole_view(reader: TargetReader, plain: dict[str, zarr.Array], array: str, view: int):
    whole = reader.all(array, view)
    np.testing.assert_array_equal(whole, plain[array][:, view])
    whole[:] = 0  # its own memory
    np.testing.assert_array_equal(reader.all(array, view), plain[array][:, view])


def test_rows_are_copies(reader: TargetReader, plain: dict[str, zarr.Array]):
    read = reader.read("image_embedding", np.arange(4))
    read[:] = 0
    np.testing.assert_array_equal(reader.read("image_embedding", np.arange(4)), plain["image_embedding"][:4, 0])


@pytest.mark.parametrize("row", [-1, ROWS, ROWS + 3, 1 << 40])
def test_rows_beyond_the_data_are_refused(reader: TargetReader, row: int):
    with pytest.raises(InputError, match=f"no row {row}"):
        reader.read("image_embedding", np.array([0, row]))


@pytest.mark.parametrize("view", [-1, VIEWS, np.array([0, VIEWS])], ids=str)
def test_views_beyond_the_store_are_refused(reader: TargetReader, view: int):
    with pytest.raises(InputError, match="no view"):
        reader.read("logits", np.array([0, 1]), view)


@pytest.mark.parametrize("rows", [np.array([True, False]), np.array([0.5, 1.0])], ids=str)
def test_a_mask_and_fractions_are_no_rows(reader: TargetReader, rows: Any):
    with pytest.raises(InputError, match="whole numbers"):
        reader.read("logits", rows)
    with pytest.raises(InputError, match="whole numbers"):
        reader.read("logits", np.array([0, 1]), rows)


def test_an_array_that_is_not_there(reader: TargetReader):
    with pytest.raises(StoreMissingError, match="has no text_embedding, it has image_embedding, logits"):
        reader.read("text_embedding", np.arange(2))


def test_a_target_that_is_not_there(store: Store):
    with pytest.raises(StoreMissingError, match="no target 'other': it has teacher"):
        store.target("other")


def test_the_mend_is_the_command_that_makes_it(store: Store, tmp_path: Path):
    with pytest.raises(StoreMissingError) as caught:
        store.target("rdm-10")
    assert caught.value.mend == "Choose one of them, or make it with `teachonce rdm`"
    with pytest.raises(StoreMissingError) as caught:
        create_or_open(tmp_path / "s.zarr", spec()).target("teacher")
    assert caught.value.mend == "Make it with `teachonce embed`"


@pytest.mark.parametrize("budget", [0, 1 << 30])
def test_pickles_as_its_path(store: Store, budget: int):
    reader = store.target("teacher", budget_bytes=budget)
    expected = reader.read("logits", np.arange(100))
    data = pickle.dumps(reader)
    assert len(data) < 1000
    again = pickle.loads(data)  # noqa: S301 - made two lines above
    assert again.tier == reader.tier
    np.testing.assert_array_equal(again.read("logits", np.arange(100)), expected)


BUDGETS = (0, 1 << 30)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_works_in_other_processes(store: Store, method: str):
    numbers = np.random.default_rng(0).permutation(ROWS)[:200]
    readers = [store.target("teacher", budget_bytes=budget) for budget in BUDGETS]
    assert [reader.tier for reader in readers] == ["mapped", "resident"]
    script = (
        "import multiprocessing, sys, numpy as np, storekit as t\n"
        "from teachonce.cache import open_store\n"
        "if __name__ == '__main__':\n"
        "    numbers = np.random.default_rng(0).permutation(t.ROWS)[:200]\n"
        "    with multiprocessing.get_context(sys.argv[2]).Pool(2) as pool:\n"
        f"        for budget in {BUDGETS}:\n"
        "            reader = open_store(sys.argv[1]).target('teacher', budget_bytes=budget)\n"
        "            t.read_some(reader, numbers)\n"
        "            parts = pool.starmap(t.read_some, [(reader, part) for part in np.split(numbers, 4)])\n"
        "            sys.stdout.buffer.write(np.concatenate(parts).tobytes())\n"
    )
    command = [sys.executable, "-c", script, str(store.path), method]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"".join(read_some(reader, numbers).tobytes() for reader in readers)


def test_threads_share_a_reader(store: Store):
    reader = store.target("teacher", budget_bytes=0)
    expected = reader.all("logits", 0)
    wrong: list[int] = []

    def read(seed: int) -> None:
        numbers = np.random.default_rng(seed).integers(0, ROWS, 500)
        equal = [np.array_equal(reader.read("logits", numbers), expected[numbers]) for _ in range(20)]
        wrong.extend([seed] * equal.count(False))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("kind", ["resident", "mapped", "loop"])
@pytest.mark.parametrize("array", sorted(ARRAYS))
@pytest.mark.parametrize("damage", ["missing", "truncated", "longer"])
def test_a_damaged_chunk_is_an_error_and_never_a_crash(
    copy: Path, monkeypatch: pytest.MonkeyPatch, kind: str, array: str, damage: str
):
    chunk = copy / f"targets/teacher/{array}/c/6/1/0"
    data = chunk.read_bytes()
    if damage == "missing":
        chunk.unlink()
    else:
        chunk.write_bytes(data[:100] if damage == "truncated" else data + b"0")
    if kind == "loop":
        monkeypatch.setattr(mapping, "AVAILABLE", False)
    reader = open_store(copy).target("teacher", budget_bytes=1 << 30 if kind == "resident" else 0)
    with pytest.raises(CorruptError) as caught:
        reader.read(array, np.arange(5))
    assert "c/6/1/0" in caught.value.message
    with pytest.raises(CorruptError, match="c/6/1/0"):
        reader.all(array, 1)
    assert reader.all(array, 0).shape[0] == ROWS


def maps_of(path: Path) -> int:
    return sum(str(path) in line for line in Path("/proc/self/maps").read_text().splitlines())


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_maps_go_with_the_reader(copy: Path):
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    reader = open_store(copy).target("teacher", budget_bytes=0)
    read = reader.read("logits", np.arange(3))
    reader.read("image_embedding", np.arange(3))
    assert maps_of(copy) == 2 * BLOCKS * VIEWS
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors
    del reader
    gc.collect()
    assert maps_of(copy) == 0
    assert read.shape == (3, CLASSES)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_the_loop_keeps_few_maps_open(copy: Path):
    grid = open_store(copy).record("teacher").grids[1]
    source = LoopRows(copy, grid, most=5)
    whole = open_store(copy).target("teacher").all(grid.name, 1)
    numbers = np.random.default_rng(3).permutation(ROWS)
    np.testing.assert_array_equal(source.take(numbers, np.ones(ROWS, np.int64)), whole[numbers])
    assert maps_of(copy) == 5


def test_maps_cost_no_memory_of_their_own(tmp_path: Path):
    """16 MiB of targets are read through maps in a process that may not allocate a third of that."""
    arrays = {"image_embedding": ArraySpec(shape=(1024,), dtype="float32")}
    build(tmp_path / "s.zarr", spec_=spec(rows=4096, views=1), arrays=arrays, head=None, failed={})
    script = (
        "import sys, resource, numpy as np; from teachonce.cache import open_store\n"
        "reader = open_store(sys.argv[1]).target('teacher', budget_bytes=0)\n"
        "numbers = np.random.default_rng(0).permutation(4096)\n"
        "reader.read('image_embedding', numbers[:8])\n"
        "status = lambda: int(open('/proc/self/status').read().split('RssAnon:')[1].split()[0])\n"
        "before = status()\n"
        "for part in np.split(numbers, 64): reader.read('image_embedding', part)\n"
        "print(status() - before)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "s.zarr")], capture_output=True, check=True)
    assert int(done.stdout) < 5 * 1024


def test_no_zarr_in_reading():
    code = (
        "import sys, numpy as np; from teachonce.cache import open_store\n"
        "print([m for m in ('zarr', 'torch', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_chunks_come_view_by_view(store: Store):
    keys = chunk_keys(store.record("teacher").grids[1])
    assert keys[0].endswith("c/0/0/0")
    assert keys[BLOCKS].endswith("c/0/1/0")


def test_head_and_samples(store: Store):
    kept = store.head("teacher")
    assert kept is not None
    for read, expected in zip(kept, head(), strict=True):
        np.testing.assert_array_equal(read, expected)
    np.testing.assert_array_equal(store.labels(), labels())
    np.testing.assert_array_equal(store.digests(), np.arange(ROWS, dtype=np.uint64) * 3)
    assert store.sample_status().dtype == np.uint8
    assert store.view_params().shape == (ROWS, VIEWS, 6)
    np.testing.assert_array_equal(store.view_params()[7], params(ROWS, VIEWS)[7])

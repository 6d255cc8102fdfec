"""Several writers of one store, and how one begins."""

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from storekit import (
    ARRAYS,
    BLOCKS,
    build,
    commit_samples,
    commit_target,
    open_writer,
    seal_target,
    spec,
    tree,
)

from teachonce.cache import SamplesWriter, create_or_open, open_store
from teachonce.errors import (
    BusyError,
    DiskError,
    InputError,
    NonFiniteError,
)
from teachonce.types import ArraySpec


class TestSeveralWriters:
    def test_disjoint_ranges_fill_one_store(self, tmp_path: Path, made: Path):
        store = create_or_open(tmp_path / "s.zarr", spec())
        ranges = [range(4), range(4, BLOCKS)]
        samples = [SamplesWriter(store, blocks) for blocks in ranges]
        targets = [open_writer(store, blocks=blocks) for blocks in ranges]
        for pair, target, blocks in zip(samples, targets, ranges, strict=True):
            for block in blocks:
                commit_samples(store, pair, block)
                commit_target(store, target, block)
        samples[0].seal()
        seal_target(targets[0])
        seal_target(targets[1])  # the second finds it sealed
        for writer in (*samples, *targets):
            writer.close()
        assert tree(store.path) == tree(made)

    def test_processes_fill_one_store(self, tmp_path: Path, made: Path):
        script = (
            "import sys; from pathlib import Path; from storekit import *\n"
            "store = create_or_open(Path(sys.argv[1]), spec()); blocks = range(int(sys.argv[2]), int(sys.argv[3]))\n"
            "with SamplesWriter(store, blocks) as samples, open_writer(store, blocks=blocks) as target:\n"
            "    for block in blocks:\n"
            "        commit_samples(store, samples, block); commit_target(store, target, block)\n"
        )
        folder = str(Path(__file__).parent)
        command = [sys.executable, "-c", script, str(tmp_path / "s.zarr")]
        parts = [("0", "3"), ("3", "7"), ("7", str(BLOCKS))]
        running = [subprocess.Popen([*command, *part], cwd=folder, stderr=subprocess.PIPE, text=True) for part in parts]
        for process in running:
            assert process.wait(60) == 0, process.stderr.read() if process.stderr else ""
            assert process.stderr is None or process.stderr.close() is None
        build(tmp_path / "s.zarr")
        assert tree(tmp_path / "s.zarr") == tree(made)

    def test_overlap_is_busy_in_one_process(self, half: Path):
        store = open_store(half)
        first = open_writer(store, blocks=range(5, 7))
        with pytest.raises(BusyError, match="holds blocks"):
            open_writer(store, blocks=range(6, 9))
        other = open_writer(store, blocks=range(7, 9))
        other.close()
        with pytest.raises(BusyError):  # closing one has not dropped the lock of the other
            open_writer(store)
        first.close()
        open_writer(store).close()

    def test_overlap_is_busy_between_processes_until_the_other_dies(self, half: Path):
        script = (
            "import sys; from storekit import *; from teachonce.cache import open_store\n"
            "store = open_store(sys.argv[1]); writer = open_writer(store, blocks=range(5, 7))\n"
            "print('locked', flush=True); sys.stdin.read()"
        )
        folder = str(Path(__file__).parent)
        store = open_store(half)
        command = [sys.executable, "-c", script, str(half)]
        with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"locked\n"
            with pytest.raises(BusyError, match="another process is writing some of blocks 0 to 9") as caught:
                open_writer(store)
            assert "disjoint" in caught.value.mend
            with open_writer(store, blocks=range(7, BLOCKS)) as target:
                commit_target(store, target, 7)
            other.kill()
        with open_writer(store) as target:
            assert target.done() == {*range(5), 7}

    def test_a_second_target_beside_the_first(self, copy: Path, made: Path):
        build(copy, name="other", fingerprint={"teacher": "b"}, arrays={"logits": ARRAYS["logits"]}, head=None)
        store = open_store(copy)
        assert set(store.targets()) == {"other", "teacher"}
        assert store.head("other") is None
        assert store.target("other").spec.width("image_embedding") is None
        before = {k: v for k, v in tree(copy).items() if "other" not in k}
        assert before == tree(made)


class TestBeginning:
    @pytest.mark.parametrize(
        ("changes", "error", "words"),
        [
            (
                {"head": (np.ones((10, 32), np.float32), np.ones(9, np.float32))},
                InputError,
                "expected a head of shapes",
            ),
            ({"head": (np.full((10, 32), np.nan, np.float32), None)}, NonFiniteError, "head has NaN"),
            ({"arrays": {}}, InputError, "at least one array"),
            ({"arrays": {"logits": ArraySpec(shape=(2, 3), dtype="float16")}}, InputError, "expected shape"),
            ({"arrays": {"logits": ArraySpec(shape=(3,), dtype="int32")}}, InputError, "expected shape"),
            ({"arrays": {"logits": ArraySpec(shape=(3,), dtype="float8")}}, InputError, "no stored dtype"),
            ({"arrays": {"status": ArraySpec(shape=(3,), dtype="float16")}}, InputError, "status"),
            ({"arrays": {"../x": ArraySpec(shape=(3,), dtype="float16")}}, InputError, r"no array \.\./x"),
        ],
    )
    def test_what_cannot_be_a_target(self, copy: Path, changes: dict[str, Any], error: type[Exception], words: str):
        before = {name for name in tree(copy) if "targets" in name}
        store = open_store(copy)
        with pytest.raises(error, match=words):
            open_writer(store, "other", **changes)
        assert {name for name in tree(copy) if "targets" in name} == before
        open_writer(store, "other").close()  # and no lock was kept

    def test_a_forked_child_does_not_hold_its_parents_blocks(self, half: Path):
        """POSIX locks are not inherited; a child that closes its copy must not free the parent's either."""
        script = (
            "import os, sys; from storekit import *; from teachonce.cache import open_store\n"
            "from teachonce.errors import BusyError\n"
            "store = open_store(sys.argv[1]); writer = open_writer(store)\n"
            "def busy():\n"
            "    try: open_writer(store)\n"
            "    except BusyError: return True\n"
            "    return False\n"
            "assert busy()\n"
            "for _ in range(2):\n"
            "    child = os.fork()\n"
            "    if not child: writer.close(); os._exit(0 if busy() else 1)\n"
            "    assert os.waitpid(child, 0)[1] == 0\n"
        )
        subprocess.run([sys.executable, "-c", script, str(half)], cwd=Path(__file__).parent, check=True)

    def test_a_disk_that_fails_at_the_start_gives_the_blocks_back(self, half: Path, monkeypatch: pytest.MonkeyPatch):
        def fail(folder: Path) -> None:
            raise OSError(errno.EIO, "injected")

        with monkeypatch.context() as patch:
            patch.setattr("teachonce.cache.blocks.sync_folder", fail)
            with pytest.raises(DiskError, match="injected"):
                open_writer(open_store(half))
        open_writer(open_store(half)).close()

"""Decoding in threads and processes: the same rows, in order, bounded, and prompt to stop."""

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from imagekit import encode, noise, photo, write_images

from teachonce.data import workers
from teachonce.data.blocks import Block, decode_blocks
from teachonce.data.decode import DecodeError
from teachonce.data.open import open_samples
from teachonce.data.samples import ArraySamples, Samples
from teachonce.data.workers import Decoder, count_workers, decode_rows, in_order, probe_pixels
from teachonce.digests import digest_array, digest_bytes
from teachonce.errors import InputError

SIZES = [(8 + row % 5, 9 + row % 7) for row in range(60)]
FILES: list[bytes | None] = [encode(noise(*size, row)) for row, size in enumerate(SIZES)]
BAD: dict[int, bytes | None] = {7: None, 11: b"no image at all", 12: encode(photo(40, 50), "JPEG")[:300], 59: b""}
CODES = {7: "missing", 11: "not-an-image", 12: "truncated", 59: "missing"}


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    files = [BAD.get(row, file) for row, file in enumerate(FILES)]
    return open_samples(write_images(tmp_path / "some.parquet", files))


@pytest.fixture(params=["inline", "thread", "threads", "processes"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(workers, "_WORTH_PROCESSES", 0 if request.param == "processes" else 1 << 30)
    return {"inline": 0, "thread": 1, "threads": 3, "processes": 2}[request.param]


def check(blocks: list[Block], groups: list[np.ndarray]) -> None:
    assert [block.rows.tolist() for block in blocks] == [group.tolist() for group in groups]
    for block in blocks:
        assert len(block.images) == len(block.digests) == len(block.rows) == len(block.sizes)
        for row, image, digest, size in zip(block.rows, block.images, block.digests, block.sizes, strict=True):
            file = BAD.get(row, FILES[row])
            assert digest == (digest_bytes(file) if file else 0)
            if row in BAD:
                assert isinstance(image, DecodeError)
                assert size.tolist() == [0, 0]
            else:
                assert (image == noise(*SIZES[row], row)).all()
                assert tuple(size) == SIZES[row]
        assert block.failed == {row: CODES[row] for row in block.rows.tolist() if row in BAD}


@pytest.mark.parametrize("lengths", [[60], [1] * 60, [17, 1, 30, 12], [0, 20, 0, 0, 40, 0]])
def test_blocks_come_whole_and_in_order(
    samples: Samples, mode: int, lengths: list[int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("teachonce.data.workers._CHUNK_BYTES", 2000)
    groups = np.split(np.arange(60), np.cumsum(lengths)[:-1])
    check(list(decode_blocks(samples, groups, workers=mode)), groups)


def test_rows_come_in_the_order_they_are_asked_for(samples: Samples, mode: int):
    rows = np.random.default_rng(0).permutation(60)
    check(list(decode_blocks(samples, iter([rows]), workers=mode)), [rows])


def test_no_blocks_are_no_blocks(samples: Samples):
    assert list(decode_blocks(samples, [])) == []


def test_arrays_are_decoded_as_they_are(mode: int):
    images = [noise(5, 6, row) for row in range(9)]
    block = next(decode_blocks(ArraySamples(images), [np.arange(9)], workers=mode))
    assert all(np.array_equal(got, image) for got, image in zip(block.images, images, strict=True))
    assert block.digests.tolist() == [digest_array(image) for image in images]


def test_keys_identify_in_every_mode(tmp_path: Path, mode: int):
    spec = write_images(tmp_path / "keys.parquet", FILES[:9], [row % 3 for row in range(9)])
    keyed = open_samples(spec, key_column="label")
    block = next(decode_blocks(keyed, [np.arange(9)], workers=mode))
    assert block.digests.tolist() == [digest_bytes(str(row % 3).encode()) for row in range(9)]


def test_work_is_bounded_ahead():
    begun, release = [], threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        release.wait(10)
        return item

    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = in_order(work, items(), workers=2, ahead=5)
    release.set()
    assert next(results) == 0
    assert len(taken) <= 5
    results.close()
    assert len(begun) <= 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("teachonce-decode")]


def test_an_error_in_a_worker_is_raised_where_its_result_is_taken():
    def work(item: int) -> int:
        if item == 3:
            raise ZeroDivisionError
        return item

    for threads in (0, 2):
        results = in_order(work, range(9), workers=threads)
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_a_killed_process_is_made_up_for(samples: Samples):
    with Decoder(samples, processes=True) as decoder:
        first = decoder.read(range(5))
        (child,) = decoder._children
        os.kill(child.pid, signal.SIGKILL)
        again = decoder.read(range(5))
    assert all(np.array_equal(a.image, b.image) and a.digest == b.digest for a, b in zip(first, again, strict=True))


def test_processes_end_with_the_decoder(samples: Samples, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workers, "_WORTH_PROCESSES", 0)
    before = set(psutil.Process().children())
    with closing(decode_rows(samples, np.arange(60).reshape(30, 2), workers=2, pixels=64)) as results:
        next(results)
        assert set(psutil.Process().children()) - before
    assert not set(psutil.Process().children()) - before
    gc.collect()  # an open pipe would warn


class Photos(torch.utils.data.Dataset):
    """A user's own dataset."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return self.samples.rows

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(self.samples.decode(row)), self.samples.digest(row) % 1000


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of a fork beside threads, by Python 3.12
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_samples_serve_a_users_own_loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: str):
    """They are read in the parent, then by a forked or a spawned worker."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    files = [encode(photo(12 + row % 9, 30 - row % 11, row), "JPEG") for row in range(40)]
    photos = Photos(open_samples(write_images(tmp_path / "d.parquet", list(files))))
    here = [photos[row] for row in range(len(photos))]
    loader = torch.utils.data.DataLoader(photos, batch_size=None, num_workers=1, multiprocessing_context=context)
    for (image, digest), (theirs, other) in zip(here, loader, strict=True):
        assert torch.equal(image, theirs)
        assert digest == other


def test_the_pixels_are_probed(samples: Samples):
    assert 8 * 9 <= probe_pixels(samples, np.arange(60)) <= 12 * 15
    assert probe_pixels(samples, np.array([7, 11])) == 0


def test_workers_are_counted():
    assert count_workers(3) == 3
    assert count_workers(0) == 0
    assert 1 <= count_workers(None) <= workers.MOST_WORKERS
    with pytest.raises(InputError, match="got -1"):
        count_workers(-1)


INTERRUPTED = """
import sys
import numpy as np
from teachonce.data import workers
from teachonce.data.blocks import decode_blocks
from teachonce.data.open import open_samples

workers._WORTH_PROCESSES = int(sys.argv[2])
samples = open_samples(sys.argv[1])
try:
    for number, block in enumerate(decode_blocks(samples, (np.arange(60) for _ in range(10**9)), workers=2)):
        if number == 20:
            print("running", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(7)
"""


@pytest.mark.parametrize("small", [0, 1 << 30])
def test_ctrl_c_ends_it_all(tmp_path: Path, small: int):
    spec = write_images(tmp_path / "some.parquet", FILES)
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, spec, str(small)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # as a terminal does: the signal goes to the whole group
        env=os.environ | {"HF_HOME": str(tmp_path / "home")},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        children = psutil.Process(process.pid).children()
        assert len(children) == (2 if small == 0 else 0)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 7, err
        assert out == "interrupted\n"
        assert "Traceback" not in err
        assert not psutil.wait_procs(children, timeout=10)[1]
    finally:  # it would run for ever
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_processes_end_when_their_parent_is_killed(tmp_path: Path):
    spec = write_images(tmp_path / "some.parquet", FILES)
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, spec, "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"HF_HOME": str(tmp_path / "home")},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    children = psutil.Process(process.pid).children()
    process.kill()
    process.communicate()
    assert children
    assert not psutil.wait_procs(children, timeout=10)[1]

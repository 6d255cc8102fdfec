"""Decoding in workers: rows in, pixels and identities out, in order and ahead of their use.

The workers are threads: PIL decodes without Python's lock. Small images spend most of their time under that lock, so
for these each thread has a process of its own do the decoding.
"""

import os
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple, Self, TypeVar

import numpy as np

from teachonce.data.decode import DecodeError, decode_treated
from teachonce.data.samples import EncodedSamples, Samples
from teachonce.digests import digest_array, digest_bytes
from teachonce.errors import InputError, TeachonceError
from teachonce.processes.process import Process

MOST_WORKERS = 32
_SMALL_PIXELS = 160 * 160  # below, a JPEG takes longer in Python than in libjpeg
_CHUNK_BYTES = 2 << 20
_WORTH_PROCESSES = 4096  # rows; a process takes about 0.2 s to start

Item = TypeVar("Item")
Result = TypeVar("Result")


class Decoded(NamedTuple):
    """One row as it was read."""

    image: np.ndarray | DecodeError
    """uint8 (H, W, 3), or why there is none."""
    digest: int
    """The row's identity; 0 where its bytes are missing."""
    treated: int = 0
    """See `decode_treated`."""


def count_workers(workers: int | None) -> int:
    """How many workers: as asked for, else one for each processor we may use but the one that feeds the device.

    Raises:
        InputError: A negative number.
    """
    if workers is None:
        return max(1, min(MOST_WORKERS, count_processors() - 1))
    if workers < 0:
        raise InputError(f"expected 0 or more workers, got {workers}", "Use 0 to decode in the calling thread")
    return workers


class Decoder:
    """Reads rows; one object serves all worker threads. Close it (or use it in `with`) to end its processes.

    Args:
        samples: What is read.
        processes: Whether each thread decodes in a process of its own.
    """

    def __init__(self, samples: Samples, *, processes: bool = False) -> None:
        self._samples = samples
        self._processes = processes and isinstance(samples, EncodedSamples)
        self._local = threading.local()
        self._children: list[Process] = []

    def read(self, rows: Sequence[int] | np.ndarray) -> list[Decoded]:
        """Decode rows, in order; a row that gives no image is an answer like the others."""
        if self._processes and isinstance(self._samples, EncodedSamples):
            return self._read_in_process(self._samples, rows)
        return [read_row(self._samples, int(row)) for row in rows]

    def _read_in_process(self, samples: EncodedSamples, rows: Sequence[int] | np.ndarray) -> list[Decoded]:
        files = [_encoded(samples, int(row)) for row in rows]
        try:
            images = self._child().ask([bytes(file) for file in files])
        except (TeachonceError, OSError):
            self._processes = False  # killed, or no process can start here: go on in the threads
            return [read_row(self._samples, int(row)) for row in rows]
        encoded = self._samples.identity == "encoded"
        digests = (
            (digest_bytes(file) if file else 0) if encoded else self._samples.digest(int(row))
            for file, row in zip(files, rows, strict=True)
        )
        return [Decoded(image, digest, treated) for (image, treated), digest in zip(images, digests, strict=True)]

    def _child(self) -> Process:
        child: Process | None = getattr(self._local, "child", None)
        if child is None:
            place = "teachonce.data.worker:decode_files"
            child = self._local.child = Process(place, name="decoding", log=subprocess.DEVNULL)
            self._children.append(child)
        return child

    def close(self) -> None:
        """End the processes."""
        while self._children:
            self._children.pop().close(at_once=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_row(samples: Samples, row: int) -> Decoded:
    """One row: its bytes are read once, for pixels and identity alike."""
    if samples.identity != "array" and isinstance(samples, EncodedSamples):
        data = _encoded(samples, row)
        digest = samples.digest(row) if samples.identity == "key" else digest_bytes(data) if data else 0
        try:
            pixels, treated = decode_treated(data)
        except DecodeError as error:
            return Decoded(error, digest)
        return Decoded(pixels, digest, treated)
    image = _decoded(lambda: samples.decode(row))
    if samples.identity == "array":
        return Decoded(image, 0 if isinstance(image, DecodeError) else digest_array(image))
    return Decoded(image, samples.digest(row))


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int, ahead: int | None = None
) -> Generator[Result, None, None]:
    """`work` on each item in worker threads, results in order; close the iterator to stop early.

    Args:
        work: Called from several threads.
        items: Taken one by one, in the calling thread, as there is room.
        workers: Threads; 0: the calling thread, when its result is wanted.
        ahead: The most items that are begun and not yet taken, which bounds the memory; None: see `read_ahead`.
    """
    if not workers:
        yield from map(work, items)
        return
    pool, waiting = ThreadPoolExecutor(workers, "teachonce-decode"), deque[Future[Result]]()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= (ahead or read_ahead(workers)):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # an error, Ctrl-C, or nobody wants the rest: what is not begun never is
        pool.shutdown(cancel_futures=True)


def read_ahead(workers: int) -> int:
    """How many items workers may begin before they are taken."""
    return 2 * workers


def decode_rows(
    samples: Samples, chunks: Iterable[np.ndarray], *, workers: int, pixels: float, ahead: int | None = None
) -> Generator[list[Decoded], None, None]:
    """Decode chunks of rows in workers, in order.

    Args:
        samples: What is read.
        chunks: Rows, some at a time: the unit of a worker's work.
        workers: See `in_order`.
        pixels: About how many pixels an image has, which decides between threads and processes.
        ahead: See `in_order`.
    """
    small = pixels <= _SMALL_PIXELS and samples.rows >= _WORTH_PROCESSES and workers > 1
    with (
        Decoder(samples, processes=small) as decoder,
        closing(in_order(decoder.read, chunks, workers=workers, ahead=ahead)) as results,
    ):
        yield from results


def chunk_rows(pixels: float) -> int:
    """How many rows make a worker's piece of work: about 2 MiB of decoded images, at most 256 rows."""
    return int(np.clip(_CHUNK_BYTES / (3 * max(pixels, 1.0)), 1, 256))


def probe_pixels(samples: Samples, rows: np.ndarray, count: int = 16) -> float:
    """The mean number of pixels of a few images that are spread over `rows`; 0 where none of them decodes."""
    spread = rows[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64))]
    images = [read_row(samples, int(row)).image for row in spread]
    sizes = [image.shape[0] * image.shape[1] for image in images if not isinstance(image, DecodeError)]
    return float(np.mean(sizes)) if sizes else 0.0


def count_processors() -> int:
    """Those that this process may use."""
    # macOS has no affinity
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _encoded(samples: EncodedSamples, row: int) -> bytes | memoryview:
    try:
        return samples.encoded(row)
    except DecodeError:
        return b""


def _decoded(decode: Callable[[], np.ndarray]) -> np.ndarray | DecodeError:
    try:
        return decode()
    except DecodeError as error:
        return error

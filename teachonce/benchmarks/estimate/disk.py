"""A probe of the disk: blocks of the real size through the real writers, into a store that is removed again."""

import os
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from teachonce.cache import SamplesWriter, Store, StoreSpec, TargetWriter, create_or_open, to_stored
from teachonce.cache.layout import Grid
from teachonce.engine.stage_one.job import Job
from teachonce.fsio import TEMPORARY, disk_errors
from teachonce.places import require_space
from teachonce.types import DECODED

_MOST_BYTES = 256 << 20
_BLOCKS = 3
_TINY_ROWS = 1  # of a block whose time is that of its files alone


@dataclass(frozen=True, kw_only=True)
class DiskProbe:
    """Seconds of what stage one writes."""

    begin_s: float
    """Making the store and beginning the target."""
    file_s: float
    """A file of next to nothing, durable; the share of its folder is in it."""
    byte_s: float
    """A byte more: cast, checked, digested, written, durable."""
    seal_s: float
    """The seal, for every block."""
    bytes: int
    """That were written to find out."""

    def block_seconds(self, size: "BlockSize") -> float:
        """Seconds of committing a block."""
        return size.files * self.file_s + size.bytes * self.byte_s


@dataclass(frozen=True, kw_only=True)
class BlockSize:
    """What a block puts on the disk: files with their two records, and bytes of chunks."""

    files: int
    bytes: int


def block_size(grids: tuple[Grid, ...]) -> BlockSize:
    """Of the arrays of the samples and of a target together."""
    files = sum(grid.columns for grid in grids) + 2
    return BlockSize(files=files, bytes=sum(grid.columns * grid.chunk_bytes for grid in grids))


def probe_disk(job: Job, settings: Mapping[str, Any]) -> DiskProbe:
    """Write a few blocks beside where the store will be, and remove them.

    Args:
        job: Checked.
        settings: Of the target: batch size and compute dtype.

    Raises:
        DiskError: The place cannot be written, or has no room even for the probe.
    """
    spec = _bounded(job)
    with _place(job.path) as folder:
        tiny = replace(spec, block_rows=_TINY_ROWS, rows=min(spec.rows, _BLOCKS))
        small = _written(folder / "tiny.zarr", tiny, job, settings)
        real = _written(folder / "real.zarr", spec, job, settings)
    file_s = small.commit_s / small.size.files
    byte_s = max(0.0, real.commit_s - real.size.files * file_s) / real.size.bytes
    written = real.blocks * real.size.bytes
    return DiskProbe(begin_s=small.begin_s, file_s=file_s, byte_s=byte_s, seal_s=real.seal_s, bytes=written)


def _bounded(job: Job) -> StoreSpec:
    """The store of the probe: some blocks of the real one, with as many of its views as are within bounds."""
    widths = sum(spec.shape[0] * np.dtype(_numpy(spec.dtype)).itemsize for spec in job.arrays.values())
    block_rows = min(job.block_rows, 1 << max(0, (_MOST_BYTES // widths).bit_length() - 1))
    views = max(1, min(job.spec.views, _MOST_BYTES // (widths * block_rows)))
    blocks = max(1, min(_BLOCKS, _MOST_BYTES // (widths * block_rows * views)))
    rows = min(job.spec.rows, blocks * block_rows)
    require_space(job.path, 2 * blocks * block_rows * views * widths)
    return replace(job.spec, rows=rows, views=views, block_rows=block_rows)


def _numpy(dtype: str) -> str:
    return "uint16" if dtype == "bfloat16" else dtype


@contextmanager
def _place(path: Path) -> Iterator[Path]:
    """A folder on the disk of the store, gone afterwards."""
    parent = next(place for place in path.absolute().parents if place.exists())
    folder = parent / f"{TEMPORARY}{os.getpid()}-estimate"
    with disk_errors(parent):
        folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class _Written:
    size: BlockSize
    begin_s: float
    commit_s: float
    """Of a block."""
    seal_s: float
    """For every block."""
    blocks: int


def _written(path: Path, spec: StoreSpec, job: Job, settings: Mapping[str, Any]) -> _Written:
    began = time.perf_counter()
    store = create_or_open(path, spec)
    with SamplesWriter(store) as samples, _target(store, job, settings) as target:
        begin_s = time.perf_counter() - began
        commits = [_commit(store, samples, target, block) for block in range(store.blocks)]
        began = time.perf_counter()
        samples.seal()
        labels = None if job.samples.labels is None else job.samples.labels[: spec.rows]
        per_class = job.options.per_class
        target.seal(labels=labels, classes=job.samples.classes, per_class=per_class, max_failed=0)
        return _Written(
            size=block_size((*samples.journal.grids, *target.journal.grids)),
            begin_s=begin_s,
            commit_s=statistics.median(commits),
            seal_s=(time.perf_counter() - began) / store.blocks,
            blocks=store.blocks,
        )


def _target(store: Store, job: Job, settings: Mapping[str, Any]) -> TargetWriter:
    return TargetWriter(
        store,
        job.options.name,
        kind=job.teacher.info.kind,
        fingerprint=job.fingerprint,
        settings=settings,
        info={},
        arrays=job.arrays,
    )


def _commit(store: Store, samples: SamplesWriter, target: TargetWriter, block: int) -> float:
    """Seconds of a block of noise; zeros might be compressed on the way."""
    start, stop = store.block_range(block)
    rows, draw = stop - start, np.random.default_rng(block)
    arrays = {
        grid.name: to_stored(draw.standard_normal((rows, *grid.shape[1:]), dtype=np.float32), grid.dtype)
        for grid in target.journal.grids
        if grid.name != "status"
    }
    digest = draw.integers(0, 1 << 63, rows, dtype=np.uint64)
    params = draw.random((rows, store.spec.views, 6), dtype=np.float32)
    status = np.full(rows, DECODED, np.uint8)
    began = time.perf_counter()
    samples.commit(block, digest, np.zeros(rows, np.int32), status, params, {})
    target.commit(block, arrays, status, {})
    return time.perf_counter() - began

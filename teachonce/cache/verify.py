"""Checking a store: every byte against the journal, the journal against the seal, documents against both."""

import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.chunks import REPAIR, Chunks
from teachonce.cache.documents import check_array, check_document
from teachonce.cache.dtypes import STORED, row_peaks
from teachonce.cache.identity import fingerprint_digest, journal_digest
from teachonce.cache.journal import Journal, Record
from teachonce.cache.layout import SAMPLES, Grid
from teachonce.cache.problems import Problem, problem_of
from teachonce.cache.targets import TargetRecord
from teachonce.errors import CorruptError, StoreError
from teachonce.events import SILENT, Events, Task
from teachonce.types import DECODED, FAILED

T = TypeVar("T")
_ZEROS = "Check the teacher's outputs for these rows; if zeros are correct, add --allow-zeros"


@dataclass(kw_only=True)
class Checked:
    """What was looked at."""

    files: int = 0
    bytes: int = 0
    blocks: dict[str, int] = field(default_factory=dict)
    """Journal -> blocks."""


def check_journal(
    journal: Journal, seal: Mapping[str, Any], checked: Checked, events: Events = SILENT, *, zeros: bool = True
) -> Iterator[Problem]:
    """Check the records of a journal, and every chunk that they name.

    Args:
        journal: Of the samples or of a target.
        seal: Its seal; empty where it is not sealed: then blocks without a record are no problem.
        checked: Counts what was read.
        events: Who watches.
        zeros: Whether a row of zeros, of a sample that did not fail, is a problem.
    """
    records: list[Record] = []
    for block in range(journal.blocks):
        try:
            records.append(journal.read(block))
        except StoreError as error:
            if seal or journal.path(block).exists():
                yield problem_of(error, journal.root, journal.path(block), "record", journal.name, block)
    checked.blocks[journal.name] = journal.blocks
    checked.files += len(records)
    checked.bytes += sum(len(record.data) for record in records)
    total = journal_digest(record.data for record in records)
    if seal and len(records) == journal.blocks and total != seal.get("journal"):
        place = journal.path(0).parent
        unsealed = CorruptError(f"{place}: the records are not those that were sealed", REPAIR)
        yield problem_of(unsealed, journal.root, place, "seal", journal.name)
    chunks = journal.chunks_of(records)
    jobs = [partial(_check_block, journal, chunks, record, zeros) for record in records]
    with events.task(f"verify {journal.name}", total=len(jobs), unit="blocks") as task:
        for read, problems in _in_threads(jobs, task):
            checked.files += len(read)
            checked.bytes += sum(read)
            yield from problems


def _in_threads(jobs: Iterable[Callable[[], T]], task: Task) -> Iterator[T]:
    """The results of jobs, in order; some run ahead in threads, since reading and hashing let go of the interpreter."""
    workers = min(4, 2 * (os.cpu_count() or 1))
    pending: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for job in jobs:
                pending.append(pool.submit(job))
                if len(pending) > 2 * workers:
                    yield pending.popleft().result()
                    task.advance()
            while pending:
                yield pending.popleft().result()
                task.advance()
        finally:
            for future in pending:
                future.cancel()


def _check_block(journal: Journal, chunks: Chunks, record: Record, zeros: bool) -> tuple[list[int], list[Problem]]:
    """The sizes of the files that were read, and what is wrong with a block."""
    sizes: list[int] = []
    problems: list[Problem] = []
    failed = np.array([row for row, _ in record.failed], np.int64) - journal.grids[0].rows(record.block).start
    for grid in journal.grids:
        for column, key in enumerate(grid.keys(record.block)):
            try:
                values = chunks.block(grid, record.block, column)
            except StoreError as error:
                kind = "digest" if (journal.root / key).is_file() else "missing"
                problems.append(problem_of(error, journal.root, journal.root / key, kind, journal.name, record.block))
                continue
            sizes.append(grid.chunk_bytes)
            for kind, text in _wrong_values(grid, values, failed, zeros=zeros and journal.name != SAMPLES):
                wrong = CorruptError(f"{journal.root / key}: {text}", _ZEROS if kind == "zeros" else REPAIR)
                problems.append(problem_of(wrong, journal.root, journal.root / key, kind, journal.name, record.block))
    return sizes, problems


def _wrong_values(
    grid: Grid, values: NDArray[Any], failed: NDArray[np.int64], *, zeros: bool
) -> Iterator[tuple[str, str]]:
    """What no sound block holds, as kind and text; `failed` counts from the first row of the block."""
    if grid.name == "status":
        expected = np.full(len(values), DECODED, np.uint8)
        expected[failed] = FAILED
        if not np.array_equal(values, expected):
            row = int(np.flatnonzero(values != expected)[0])
            yield "status", f"row {row} of the block has status {values[row]}, its record says {expected[row]}"
        return
    infinity = STORED[grid.dtype].infinity
    if infinity is None:
        return
    peaks = row_peaks(values, grid.dtype)
    sound = np.ones(len(values), np.bool_)
    sound[failed] = False
    for kind, wrong, text in (("nonfinite", peaks >= infinity, "NaN or infinity"), ("zeros", peaks == 0, "only zeros")):
        rows = np.flatnonzero(wrong & sound)
        if len(rows) and (kind != "zeros" or zeros):
            yield kind, f"{len(rows)} rows have {text}, the first is row {rows[0]} of the block"


def check_target(
    record: TargetRecord, checked: Checked, events: Events = SILENT, *, zeros: bool = True
) -> Iterator[Problem]:
    """Check a target: fingerprint, documents, journal, chunks, head, weights, class means.

    Args:
        record: The target; of one that is not sealed, what is there.
        checked: Counts what was read.
        events: Who watches.
        zeros: Whether a row of zeros is a problem.
    """
    root, folder = record.root, record.root / "targets" / record.name
    if fingerprint_digest(record.fingerprint_fields) != record.fingerprint:
        error = CorruptError(f"{folder}: the fingerprint is not that of its fields", REPAIR)
        yield problem_of(error, root, folder / "zarr.json", "fingerprint", record.name)
    yield from check_journal(record.journal, record.seal, checked, events, zeros=zeros)
    chunks = Chunks(root, record.digests)
    for grid in record.whole_grids:
        try:
            chunks.read(grid, grid.key(0))
            checked.files += 1
            checked.bytes += grid.chunk_bytes
        except StoreError as error:
            kind = "digest" if (root / grid.key(0)).is_file() else "missing"
            yield problem_of(error, root, root / grid.key(0), kind, record.name)
    yield from check_documents(root, record.documents, checked, record.name)


def check_parts(record: TargetRecord) -> None:
    """Check what is small of a target: its documents, the head, the weights and the class means.

    Raises:
        CorruptError: Names the first that is not as it was written.
    """
    chunks = Chunks(record.root, record.digests)
    for grid in record.whole_grids:
        chunks.read(grid, grid.key(0))
    for node, document in record.documents.items():
        check_document(record.root / node, document)


def check_documents(
    root: Path, expected: Mapping[str, Mapping[str, Any] | None], checked: Checked, target: str | None
) -> Iterator[Problem]:
    """Check documents by node.

    Args:
        root: The store.
        expected: Node -> its document; None: it has been compared with its seal, and only its spelling is checked.
        checked: Counts what was read.
        target: The target they belong to, or `samples`.
    """
    for node, document in expected.items():
        try:
            checked.bytes += check_document(root / node, document)
            checked.files += 1
        except StoreError as error:
            yield problem_of(error, root, root / node / "zarr.json", "document", target)


def verify_target(record: TargetRecord, arrays: Collection[str] | None = None) -> None:
    """Check a sealed target, or only some of its arrays.

    Args:
        record: The target.
        arrays: Of the chunks only those of these arrays, and what is not an array; None: all.

    Raises:
        CorruptError: Names the first that is not as it was sealed.
    """
    if arrays is None:
        for problem in check_target(record, Checked(), zeros=False):
            raise problem.error
        return
    for grid in (*record.grids, *record.whole_grids):
        if grid.name in arrays or grid not in record.grids:
            for block in range(grid.blocks):
                for key in grid.keys(block):
                    record.chunks.read(grid, key)


def read_weights(record: TargetRecord) -> bytes | None:
    """The weights that are kept with a target, which may be unsealed: they are there from its beginning.

    Returns:
        The bytes of a safetensors file; None where it has none.

    Raises:
        CorruptError: They are not the bytes that were written.
    """
    for grid in record.weights_grids:
        check_array(record.root, grid)
        return Chunks(record.root, record.digests).read(grid, grid.key(0))
    return None

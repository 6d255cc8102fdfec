"""Writing the samples and their views; and what every writer does."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.blocks import BlockWriter
from teachonce.cache.documents import document_bytes, read_document
from teachonce.cache.identity import chunk_digest
from teachonce.cache.journal import Journal, Record
from teachonce.cache.layout import SAMPLES, record_path
from teachonce.cache.locks import documents_lock
from teachonce.cache.seal import seal_records, seal_samples
from teachonce.cache.store import Store
from teachonce.cache.targets import target_names
from teachonce.errors import BusyError, InputError
from teachonce.events import SILENT, Events
from teachonce.fsio import disk_errors, file_stamp, sync_folder
from teachonce.types import DECODED, FAILED

_WORTH_TELLING = 1000  # chunks


class Writer:
    """What both writers share: they own blocks until closed; once sealed there is nothing to commit."""

    def __init__(self, journal: Journal, blocks: range | None, *, sealed: bool) -> None:
        self.journal, self.sealed = journal, sealed
        """Whether everything is complete, so that there is nothing to commit."""
        self._blocks = None if sealed else BlockWriter(journal, blocks)

    def done(self) -> set[int]:
        """The committed blocks of this writer's range: a valid record, and every chunk file in its full size."""
        return set(range(self.journal.blocks)) if self._blocks is None else self._blocks.done()

    @property
    def written(self) -> Mapping[str, str]:
        """The chunk files that this writer committed, with their stamps (`fsio.file_stamp`)."""
        return {} if self._blocks is None else self._blocks.written

    @property
    def is_own(self) -> bool:
        """Whether this writer committed every block of the journal, and no chunk has changed since."""
        journal, written = self.journal, self.written
        keys = (key for block in range(journal.blocks) for key in journal.keys(block))
        return all(key in written and file_stamp(journal.root / key) == written[key] for key in keys)

    def _check_earlier(self, records: Iterable[Record], events: Events) -> None:
        """Compare the chunks that others committed with their digests: a seal says what they are.

        Raises:
            CorruptError: One is not what was committed.
        """
        chunks = [
            (self.journal.chunks_of([record]), grid, key)
            for record in records
            for grid in self.journal.grids
            for key in grid.keys(record.block)
            if key not in self.written
        ]
        watch = events if len(chunks) > _WORTH_TELLING else SILENT
        with watch.task(f"check {self.journal.name}", total=len(chunks), unit="chunks") as task:
            for read, grid, key in chunks:
                read.read(grid, key)
                task.advance()

    def failed(self) -> dict[int, str]:
        """Row -> reason code, over all committed blocks of the store."""
        return self.journal.failed()

    def _commit(
        self, block: int, arrays: Mapping[str, NDArray[Any]], failed: Mapping[int, str], blanked: frozenset[str]
    ) -> None:
        if self._blocks is None or self.sealed:
            message = f"{self.journal.name} of {self.journal.root} is sealed, possibly by another process"
            raise BusyError(message, "Run the same command again: existing blocks are reused")
        _check_status(self.journal, block, arrays["status"], failed)
        self._blocks.commit(block, arrays, failed, blanked)

    def close(self) -> None:
        """Give the blocks back to other writers."""
        if self._blocks is not None:
            self._blocks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_status(journal: Journal, block: int, status: NDArray[np.uint8], failed: Mapping[int, str]) -> None:
    start = journal.grids[0].rows(block).start
    marked = {int(row) + start for row in np.flatnonzero(status == FAILED)}
    if marked != set(failed) or not np.isin(status, (DECODED, FAILED)).all():
        raise InputError(f"block {block}: status must be 2 in exactly the failed rows {sorted(failed)}, else 1")


class SamplesWriter(Writer):
    """Writes the samples and their views, once."""

    def __init__(self, store: Store, blocks: range | None = None) -> None:
        """Take the blocks of a range (all by default).

        Raises:
            BusyError: Another writer has some of them.
        """
        super().__init__(store.journal, blocks, sealed=store.samples_sealed)

    def commit(
        self,
        block: int,
        digest: NDArray[np.uint64],
        label: NDArray[np.int32],
        status: NDArray[np.uint8],
        params: NDArray[np.float32],
        failed: Mapping[int, str],
    ) -> None:
        """Write a block.

        Args:
            block: Which.
            digest: uint64 (rows,).
            label: int32 (rows,), -1 where there is none.
            status: uint8 (rows,): 1, or 2 in exactly the failed rows.
            params: float32 (rows, views, 6); failed rows become NaN.
            failed: Row of the store -> reason code.

        Raises:
            InputError: Arrays that are not the block's.
            NonFiniteError: NaN or infinity in the views of a row that did not fail.
            DiskError: Nothing of the block counts.
        """
        arrays: dict[str, NDArray[Any]] = {"digest": digest, "label": label, "status": status, "params": params}
        self._commit(block, arrays, failed, frozenset({"params"}))

    @property
    def reopened(self) -> bool:
        """Whether they were sealed before, so that they will be sealed only as they were."""
        document = read_document(self.journal.root / SAMPLES, "group")
        return not self.sealed and document["attributes"].get("seal") is not None

    def drop_targets(self, block: int) -> None:
        """Before new samples of a block are committed: targets' records of it were made of others, as far as is known.

        Raises:
            DiskError: They cannot be removed.
        """
        if self.sealed or self.reopened:
            return
        for name in target_names(self.journal.root):
            record = record_path(self.journal.root, name, block)
            with disk_errors(record):
                if record.exists():
                    record.unlink()
                    sync_folder(record.parent)

    def seal(self, events: Events = SILENT) -> None:
        """Seal samples and views; from now on they never change.

        Raises:
            UnsealedError: Blocks are missing.
            CorruptError: A chunk is not what was committed.
            MismatchError: They were sealed before, over other samples.
            DiskError: They are not sealed.
        """
        if self.sealed:
            return
        with documents_lock(self.journal.root):
            records, seal = seal_records(self.journal)
            self._check_earlier(records, events)
            root = chunk_digest(document_bytes(self.journal.root))
            seal_samples(self.journal.root / SAMPLES, seal, root)
        self.sealed = True

"""Writing the samples and their views; and what every writer does."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.blocks import BlockWriter
from teachonce.cache.documents import document_bytes
from teachonce.cache.identity import chunk_digest
from teachonce.cache.journal import Journal
from teachonce.cache.layout import SAMPLES
from teachonce.cache.locks import documents_lock
from teachonce.cache.seal import seal_records, write_seal
from teachonce.cache.store import Store
from teachonce.errors import BusyError, InputError
from teachonce.types import DECODED, FAILED


class Writer:
    """What both writers share: they own blocks until closed; once sealed there is nothing to commit."""

    def __init__(self, journal: Journal, blocks: range | None, *, sealed: bool) -> None:
        self.journal, self.sealed = journal, sealed
        """Whether everything is complete, so that there is nothing to commit."""
        self._blocks = None if sealed else BlockWriter(journal, blocks)

    def done(self) -> set[int]:
        """The committed blocks of this writer's range: a valid record, and every chunk file in its full size."""
        return set(range(self.journal.blocks)) if self._blocks is None else self._blocks.done()

    def failed(self) -> dict[int, str]:
        """Row -> reason code, over all committed blocks of the store."""
        return {row: code for record in self.journal.present().values() for row, code in record.failed}

    def _commit(
        self, block: int, arrays: Mapping[str, NDArray[Any]], failed: Mapping[int, str], blanked: frozenset[str]
    ) -> None:
        if self._blocks is None or self.sealed:
            message = f"{self.journal.name} of {self.journal.root} is sealed, by another process if not by this one"
            raise BusyError(message, "Run the same command again: what is there is reused")
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

    def seal(self) -> None:
        """Seal samples and views; from now on they never change.

        Raises:
            UnsealedError: Blocks are missing.
            DiskError: They are not sealed.
        """
        if self.sealed:
            return
        with documents_lock(self.journal.root):
            _, seal = seal_records(self.journal)
            root = chunk_digest(document_bytes(self.journal.root))
            write_seal(self.journal.root / SAMPLES, {**seal, "root": root})
        self.sealed = True

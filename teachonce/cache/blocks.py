"""Committing blocks: first the chunks, then the record. Shared by the writers of samples and of targets."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from teachonce.cache.chunks import check_block, check_finite, chunks_of
from teachonce.cache.identity import chunk_digest
from teachonce.cache.journal import Journal, Record, failures
from teachonce.cache.layout import lock_path
from teachonce.cache.locks import BlockLock
from teachonce.errors import InputError
from teachonce.fsio import disk_errors, file_stamp, remove_temporaries, sync_folder, write_bytes, write_files


class BlockWriter:
    """Owns a range of blocks of one journal until it is closed."""

    def __init__(self, journal: Journal, blocks: range | None) -> None:
        """Take the blocks, and clear what a killed writer left in them.

        Raises:
            InputError: Blocks the store does not have.
            BusyError: Somebody else owns one of them.
        """
        self.journal = journal
        self.written: dict[str, str] = {}
        """Chunk file that this writer committed -> its stamp."""
        self.blocks = range(journal.blocks) if blocks is None else blocks
        if self.blocks.step != 1 or self.blocks.start < 0 or self.blocks.stop > journal.blocks:
            raise InputError(f"blocks {self.blocks} are not among the {journal.blocks} of this store")
        self._lock = BlockLock(lock_path(journal.root, journal.name), self.blocks)
        try:
            with disk_errors(journal.root):
                self._done = set(journal.present(self.blocks))
                self._clear()
        except BaseException:
            self.close()
            raise

    def _clear(self) -> None:
        """Remove what belongs to blocks that are not done: a block without a valid record does not exist."""
        open_blocks = [block for block in self.blocks if block not in self._done]
        folder = self.journal.path(0).parent
        for block in open_blocks:
            self.journal.path(block).unlink(missing_ok=True)
        remove_temporaries(folder, of={self.journal.path(block).name for block in self.blocks}, deep=False)
        sync_folder(folder)
        sync_folder(folder.parent)
        for grid in self.journal.grids:
            _remove_chunks(self.journal.root / grid.path / "c", open_blocks)

    def done(self) -> set[int]:
        """The blocks of the range that are committed."""
        return set(self._done)

    def commit(
        self, block: int, arrays: Mapping[str, NDArray[Any]], failed: Mapping[int, str], blanked: frozenset[str]
    ) -> None:
        """Write a block's chunks, then its record.

        Args:
            block: One of the range.
            arrays: Every array of the journal by name, (rows, views, length) or (rows,), as stored.
            failed: Row of the store -> reason code.
            blanked: The arrays that hold the fill value in failed rows, and nothing but finite values elsewhere.

        Raises:
            InputError: Arrays, rows or codes that are not the block's.
            NonFiniteError: NaN or infinity in a row that did not fail.
            DiskError: Nothing of the block counts; the same call may be made again.
        """
        chunks, record = self._prepare(block, arrays, failed, blanked)
        root = self.journal.root
        tops = [root / grid.path / "c" for grid in self.journal.grids]
        write_files([(root / key, data) for key, data in chunks.items()], tops=tops)
        write_bytes(self.journal.path(block), record.to_bytes())
        self._done.add(block)
        self.written |= {key: file_stamp(root / key) for key in chunks}

    def _prepare(
        self, block: int, arrays: Mapping[str, NDArray[Any]], failed: Mapping[int, str], blanked: frozenset[str]
    ) -> tuple[dict[str, memoryview], Record]:
        if block not in self.blocks:
            raise InputError(f"block {block} is not among the blocks {self.blocks} of this writer")
        if set(arrays) != (names := {grid.name for grid in self.journal.grids}):
            raise InputError(f"block {block}: expected the arrays {sorted(names)}, got {sorted(arrays)}")
        rows = self.journal.grids[0].rows(block)
        failures_ = failures(failed, rows)
        chunks: dict[str, memoryview] = {}
        for grid in self.journal.grids:
            values = arrays[grid.name]
            check_block(grid, block, values)
            blank = sorted(failed) if grid.name in blanked else []
            if grid.name in blanked:
                check_finite(grid, block, values, blank)
            chunks |= dict(chunks_of(grid, block, values, blank))
        digests = {key: chunk_digest(data) for key, data in chunks.items()}
        return chunks, Record(block=block, chunks=digests, failed=failures_)

    def close(self) -> None:
        """Give the blocks back."""
        self._lock.release()


def _remove_chunks(folder: Path, blocks: Sequence[int]) -> None:
    """Remove chunks of blocks from the folder `c` of an array: folders where there are views, else files."""
    names = {str(block) for block in blocks}
    remove_temporaries(folder, of=names, deep=False)
    for name in names:
        place = folder / name
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)

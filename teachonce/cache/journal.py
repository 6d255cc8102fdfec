"""The journal: one record a committed block. A block without a valid record does not exist."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachonce.cache.chunks import REPAIR, Chunks
from teachonce.cache.identity import journal_digest
from teachonce.cache.layout import Grid, record_path
from teachonce.errors import CorruptError, InputError
from teachonce.fsio import json_bytes, parse_json, read_file

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class Record:
    """What one committed block holds."""

    block: int
    chunks: Mapping[str, str]
    """Chunk file, relative to the store -> its digest."""
    failed: tuple[tuple[int, str], ...]
    """(row, reason code), in the order of the rows."""
    data: bytes = b""
    """The bytes of its file, where it was read from one."""

    def to_bytes(self) -> bytes:
        """The bytes to write."""
        failed = [list(pair) for pair in self.failed]
        return json_bytes({"block": self.block, "chunks": dict(self.chunks), "failed": failed})


@dataclass(frozen=True, kw_only=True)
class Journal:
    """The journal of the samples or of a target, and the arrays that its blocks cover."""

    root: Path
    name: str
    grids: tuple[Grid, ...]

    @property
    def named(self) -> dict[str, Grid]:
        """The arrays by their names."""
        return {grid.name: grid for grid in self.grids}

    @property
    def blocks(self) -> int:
        """How many blocks there have to be."""
        return self.grids[0].blocks

    def missing(self) -> list[int]:
        """The blocks that have no valid record, ascending."""
        present = self.present()
        return [block for block in range(self.blocks) if block not in present]

    def failed(self) -> dict[int, str]:
        """Row -> reason code, over the blocks that have a valid record."""
        return {row: code for record in self.present().values() for row, code in record.failed}

    def path(self, block: int) -> Path:
        """The file of a block's record."""
        return record_path(self.root, self.name, block)

    def keys(self, block: int) -> list[str]:
        """The chunk files of a block, relative to the store."""
        return [key for grid in self.grids for key in grid.keys(block)]

    def read(self, block: int) -> Record:
        """The record of a block.

        Raises:
            CorruptError: It is missing, or not the record of this block.
        """
        path = self.path(block)
        try:
            data = read_file(path, mend=REPAIR)
        except FileNotFoundError:
            raise CorruptError(f"{path} is missing: expected the record of block {block}", REPAIR) from None
        return self._parse(block, data)

    def chunks(self, seal: Mapping[str, Any]) -> Chunks:
        """The chunk files of all blocks, to be read.

        Raises:
            CorruptError: A record is missing or damaged, or the records are not those that were sealed.
        """
        records = [self.read(block) for block in range(self.blocks)]
        if journal_digest(record.data for record in records) != seal.get("journal"):
            raise CorruptError(f"{self.path(0).parent}: the records are not those that were sealed", REPAIR)
        return self.chunks_of(records)

    def chunks_of(self, records: Iterable[Record]) -> Chunks:
        """The chunk files of some blocks, to be read."""
        return Chunks(self.root, {key: digest for record in records for key, digest in record.chunks.items()})

    def _parse(self, block: int, data: bytes) -> Record:
        try:
            value = parse_json(data, str(self.path(block)))
            chunks, failed = value["chunks"], tuple((int(row), str(code)) for row, code in value["failed"])
            sound = set(value) == {"block", "chunks", "failed"} and value["block"] == block
            sound = sound and sorted(chunks) == sorted(self.keys(block))
            sound = sound and all(isinstance(v, str) and _HASH.fullmatch(v) for v in chunks.values())
            sound = sound and all(row in self.grids[0].rows(block) for row, _ in failed)
        except (CorruptError, ValueError, TypeError, KeyError):
            sound = False
        if not sound:
            raise CorruptError(f"{self.path(block)} is not the record of block {block}", REPAIR)
        return Record(block=block, chunks=chunks, failed=failed, data=data)

    def valid(self, block: int) -> Record | None:
        """The block's record, if it is sound and every chunk file is there in its full size."""
        try:
            record = self.read(block)
            for grid in self.grids:
                if any((self.root / key).stat().st_size != grid.chunk_bytes for key in grid.keys(block)):
                    return None
        except (CorruptError, OSError):
            return None
        return record

    def present(self, blocks: Iterable[int] | None = None) -> dict[int, Record]:
        """The valid records of the given blocks (all of them by default), in order."""
        wanted = self._written() if blocks is None else blocks
        found = ((block, self.valid(block)) for block in wanted)
        return {block: record for block, record in found if record is not None}

    def _written(self) -> list[int]:
        """The blocks whose records have a file: a document may tell of any number of blocks."""
        stems = (path.stem for path in self.path(0).parent.glob("*.json"))
        return sorted(block for block in {int(stem) for stem in stems if stem.isdecimal()} if block < self.blocks)


def failures(failed: Mapping[int, str], rows: range) -> tuple[tuple[int, str], ...]:
    """The failed rows of a block as its record holds them.

    Raises:
        InputError: A row outside the block, or a reason that is no fixed code (never an exception's text).
    """
    for row, code in failed.items():
        if row not in rows:
            raise InputError(f"row {row} is not in the block of rows {rows.start} to {rows.stop - 1}")
        if not _CODE.fullmatch(code):
            raise InputError(f"{code!r} is not a reason code", "Use lower-case letters, digits and '-': 'truncated'")
    return tuple(sorted((int(row), code) for row, code in failed.items()))

"""Checking every byte against the journal, and the journal against the seal."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from teachonce.cache.chunks import read_bytes, read_chunk
from teachonce.cache.documents import check_array
from teachonce.cache.identity import chunk_digest, fingerprint_digest, journal_digest
from teachonce.cache.journal import Journal
from teachonce.cache.targets import TargetRecord
from teachonce.errors import CorruptError

_MEND = "Restore the file from a copy, or remove the target's folders and run the command that made it again"


def verify_journal(journal: Journal, seal: Mapping[str, Any], arrays: Collection[str] | None = None) -> None:
    """Recompute the digest of the journal and of every chunk; one chunk is in memory at a time.

    Args:
        journal: Of the samples or of a target.
        seal: Its seal.
        arrays: Only the chunks of these; None: of all.

    Raises:
        CorruptError: Names the first chunk or record that is not what was sealed.
    """
    records = [journal.read(block) for block in range(journal.blocks)]
    if journal_digest(record.data for record in records) != seal.get("journal"):
        place = journal.path(0).parent
        raise CorruptError(f"{place}: the records are not those that were sealed", _MEND)
    folders = tuple(f"{grid.path}/" for grid in journal.grids if arrays is None or grid.name in arrays)
    for record in records:
        verify_chunks(journal.root, {key: value for key, value in record.chunks.items() if key.startswith(folders)})


def verify_chunks(root: Path, chunks: Mapping[str, str]) -> None:
    """Compare chunk files with their digests.

    Raises:
        CorruptError: Names the first that differs.
    """
    for key, expected in chunks.items():
        _verify_bytes(root / key, read_bytes(root / key), expected)


def _verify_bytes(path: Path, data: bytes, expected: str) -> None:
    got = chunk_digest(data)
    if got != expected:
        raise CorruptError(f"{path}: its bytes have digest {got}, the journal says {expected}", _MEND)


def verify_target(record: TargetRecord, arrays: Collection[str] | None = None) -> None:
    """Check a sealed target: fingerprint, journal, chunks, head, weights, class means.

    Args:
        record: The target.
        arrays: Of the chunks only those of these arrays; None: of all.

    Raises:
        CorruptError: Names what is not as it was sealed.
    """
    if fingerprint_digest(record.fingerprint_fields) != record.fingerprint:
        place = record.root / "targets" / record.name
        raise CorruptError(f"{place}: the fingerprint is not that of its fields", _MEND)
    verify_journal(record.journal, record.seal, arrays)
    verify_chunks(record.root, record.digests)


def read_weights(record: TargetRecord) -> bytes | None:
    """The weights that are kept with a target, which may be unsealed: they are there from its beginning.

    Returns:
        The bytes of a safetensors file; None where it has none.

    Raises:
        CorruptError: They are not the bytes that were written.
    """
    for grid in record.weights_grids:
        check_array(record.root, grid)
        key = grid.key(0)
        data = read_chunk(record.root, grid, key)
        _verify_bytes(record.root / key, data, record.digests[key])
        return data
    return None

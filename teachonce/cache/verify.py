"""Checking every byte against the journal, and the journal against the seal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teachonce.cache.chunks import read_bytes
from teachonce.cache.identity import chunk_digest, fingerprint_digest, journal_digest
from teachonce.cache.journal import Journal
from teachonce.cache.targets import TargetRecord
from teachonce.errors import CorruptError

_MEND = "Restore the file from a copy, or remove the target's folders and run `teachonce embed` again"


def verify_journal(journal: Journal, seal: Mapping[str, Any]) -> None:
    """Recompute the digest of the journal and of every chunk; one chunk is in memory at a time.

    Raises:
        CorruptError: Names the first chunk or record that is not what was sealed.
    """
    records = [journal.read(block) for block in range(journal.blocks)]
    if journal_digest(record.data for record in records) != seal.get("journal"):
        place = journal.path(0).parent
        raise CorruptError(f"{place}: the records are not those that were sealed", _MEND)
    for record in records:
        verify_chunks(journal.root, record.chunks)


def verify_chunks(root: Path, chunks: Mapping[str, str]) -> None:
    """Compare chunk files with their digests.

    Raises:
        CorruptError: Names the first that differs.
    """
    for key, expected in chunks.items():
        got = chunk_digest(read_bytes(root / key))
        if got != expected:
            raise CorruptError(f"{root / key}: its bytes have digest {got}, the journal says {expected}", _MEND)


def verify_target(record: TargetRecord) -> None:
    """Check all of a sealed target: fingerprint, journal, chunks, head, class means.

    Raises:
        CorruptError: Names what is not as it was sealed.
    """
    if fingerprint_digest(record.fingerprint_fields) != record.fingerprint:
        place = record.root / "targets" / record.name
        raise CorruptError(f"{place}: the fingerprint is not that of its fields", _MEND)
    verify_journal(record.journal, record.seal)
    verify_chunks(record.root, record.digests)

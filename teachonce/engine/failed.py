"""Which rows of a store failed, why, and what they are called where the data is at hand."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from teachonce.cache import Store
from teachonce.cache.journal import Journal
from teachonce.data.decode import NOT_AN_IMAGE, DecodeError
from teachonce.data.samples import EncodedSamples, NamedSamples, Samples
from teachonce.engine.datacheck import DataCheck
from teachonce.substitutes import substitute

_SHOWN = 10


def failed_rows(journal: Journal, seal: Mapping[str, Any]) -> dict[int, str]:
    """Row -> reason code, of the samples or of a target; ascending.

    Args:
        journal: Its journal.
        seal: Its seal, which the records are compared with; empty before: then of the blocks that are committed.

    Raises:
        CorruptError: The records are not those that were sealed.
    """
    if not seal:
        return journal.failed()
    journal.chunks(seal)
    return {row: code for block in range(journal.blocks) for row, code in journal.read(block).failed}


def list_failed(store: Store, samples: Samples | None = None) -> list[dict[str, Any]]:
    """The failed rows of a store, as JSON.

    Args:
        store: Sealed or not.
        samples: The data that it was made from, which knows the rows' files.

    Returns:
        Each row once: `row`, `reason`, `where` it failed (`samples`, or the first target that alone has no values of
        it), `content` (its identity, 16 hex digits; null where its bytes were missing or the samples are not sealed)
        and `name` (its file or key; null without data, or where that has neither). In the order of the rows.

    Raises:
        MismatchError: The data is not the store's.
        CorruptError: Records are not those that were sealed.
        UnsealedError: There is data, but the samples are not sealed, so that it cannot be compared.
    """
    codes = failed_rows(store.journal, store.samples_seal)
    where = dict.fromkeys(codes, "samples")
    for name, record in store.targets().items():
        new = {row: code for row, code in failed_rows(record.journal, record.seal).items() if row not in codes}
        codes |= new
        where |= dict.fromkeys(new, name)
    digests = store.digests() if store.samples_sealed or samples is not None else np.zeros(store.spec.rows, np.uint64)
    if samples is not None:
        DataCheck(store, samples, failed=True).check(np.array(sorted(codes), np.int64))
    return [
        {
            "row": row,
            "reason": codes[row],
            "where": where[row],
            "content": f"{int(digests[row]):016x}" if digests[row] else None,
            "name": None if samples is None else row_name(samples, row),
        }
        for row in sorted(codes)
    ]


def row_name(samples: Samples, row: int) -> str | None:
    """What a person calls a row: its file or its key; None where the data has neither."""
    return samples.name(row) if isinstance(samples, NamedSamples) else None


def tell_failed(samples: Samples, failed: Mapping[int, str]) -> str:
    """Failed rows in one line: by file or key, else by content; the first ten, and how many more."""
    named = []
    for row, code in list(failed.items())[:_SHOWN]:
        digest = samples.digest(row)
        name = row_name(samples, row) or (f"content {digest:016x}" if digest else "no bytes")
        named.append(f"row {row} ({_reason(samples, row, code)}): {name}")
    more = f" and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
    return "; ".join(named) + more


def _reason(samples: Samples, row: int, code: str) -> str:
    """A reason code, and what the row's file is where it is known to be in another's place."""
    found = None
    if code == NOT_AN_IMAGE and isinstance(samples, EncodedSamples):
        with suppress(DecodeError):
            found = substitute(samples.encoded(row))
    return code if found is None else f"{code}: {found[0]}"

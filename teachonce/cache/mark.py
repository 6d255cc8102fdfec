"""The verified mark beside a store: what was checked in full, and whether a file has changed since."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from teachonce.cache.documents import DOCUMENT
from teachonce.cache.identity import chunk_digest
from teachonce.cache.journal import Journal
from teachonce.cache.layout import SAMPLES
from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord
from teachonce.errors import CorruptError, StoreError
from teachonce.fsio import disk_errors, file_stamp, read_file, remove_temporaries, write_json

_KIND = "teachonce.verified"
_MOST_BYTES = 1 << 20
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


def mark_path(store: Path) -> Path:
    """Where the mark of a store is: `NAME.zarr.verified.json`."""
    place = store.resolve()
    return place.with_name(f"{place.name}.verified.json")


def mark_entries(store: Store, names: Collection[str], *, samples: bool) -> dict[str, dict[str, str]]:
    """What a mark says of targets, and perhaps of the samples, as their files are now.

    Args:
        store: Its samples are sealed.
        names: Sealed targets.
        samples: Whether it is said of samples and views, too.

    Returns:
        Target, or `samples` -> journal (its digest) and files (a digest over size, times and inode of every file).

    Raises:
        StoreError: A file of them is missing.
    """
    entries = {name: _target_entry(store.sealed(name)) for name in names}
    return {**entries, SAMPLES: _samples_entry(store)} if samples else entries


def write_mark(store: Store, entries: Mapping[str, Mapping[str, str]]) -> None:
    """Say that files have just been written or checked in full, and are still those; the rest of the mark stays.

    Args:
        store: Its samples are sealed.
        entries: What `mark_entries` gave before they were checked.

    Raises:
        StoreError: A file of them is missing.
        DiskError: It cannot be written.
    """
    names = [name for name in entries if name != SAMPLES]
    if entries != mark_entries(store, names, samples=SAMPLES in entries):
        return  # somebody wrote meanwhile
    known, time = read_mark(store.path), {"time": datetime.now(UTC).isoformat(timespec="seconds")}
    now = {name: {**entry, **time} for name, entry in entries.items()}
    of_samples = now.pop(SAMPLES, known.get("samples", {}))
    targets = known.get("targets", {}) | now
    clear_mark(store.path)
    write_json(mark_path(store.path), {"kind": _KIND, "format": 1, "samples": of_samples, "targets": targets})


def clear_mark(path: Path) -> None:
    """Remove what a killed writer of a mark left beside the store at `path`."""
    place = mark_path(path)
    with disk_errors(place):
        remove_temporaries(place.parent, of={place.name}, deep=False)


def remove_mark(path: Path) -> None:
    """Remove the mark of the store at `path`, which is not true any more.

    Raises:
        DiskError: It is still there.
    """
    place = mark_path(path)
    with disk_errors(place):
        place.unlink(missing_ok=True)


def read_mark(path: Path) -> dict[str, Any]:
    """The mark of the store at `path`; empty where there is none, or what is there is no mark."""
    try:
        value = json.loads(read_file(mark_path(path), most=_MOST_BYTES))
    except (OSError, ValueError, RecursionError, CorruptError):
        return {}
    sound = isinstance(value, dict) and value.get("kind") == _KIND and value.get("format") == 1
    sound = sound and isinstance(value.get("samples"), dict) and isinstance(value.get("targets"), dict)
    return value if sound and all(isinstance(entry, dict) for entry in value["targets"].values()) else {}


def verified_at(store: Store, name: str) -> str | None:
    """When a target and its samples were last checked in full; None: never, or a file differs since then.

    Args:
        store: The store.
        name: A sealed target.

    Returns:
        ISO 8601, UTC.
    """
    mark = read_mark(store.path)
    kept, samples = mark.get("targets", {}).get(name), mark.get("samples")
    if kept is None or samples is None:
        return None
    try:
        now = _target_entry(store.sealed(name)), _samples_entry(store)
    except StoreError:
        return None
    times = [str(entry.pop("time", "")) for entry in (kept, samples)]
    return min(times) if now == (kept, samples) and all(map(_TIME.fullmatch, times)) else None


def _target_entry(record: TargetRecord) -> dict[str, str]:
    nodes = [record.root / node / DOCUMENT for node in record.documents]
    return _entry(record.journal, record.seal, [*nodes, *(record.root / key for key in record.digests)])


def _samples_entry(store: Store) -> dict[str, str]:
    documents = [store.path / DOCUMENT, store.path / "samples" / DOCUMENT]
    return _entry(store.journal, store.samples_seal, documents)


def _entry(journal: Journal, seal: Mapping[str, Any], others: Iterable[Path]) -> dict[str, str]:
    """The digest of a journal, and one over size, times and inode of every file that it covers, and of others.

    Raises:
        CorruptError: A file is missing.
    """
    keys = (key for block in range(journal.blocks) for key in journal.keys(block))
    records = (journal.path(block) for block in range(journal.blocks))
    files = sorted([*(journal.root / key for key in keys), *records, *others])
    lines = []
    for file in files:
        try:
            lines.append(f"{file.name} {file_stamp(file)}")
        except OSError as error:
            raise CorruptError(f"{file}: {error.strerror}") from error
    return {"journal": str(seal.get("journal")), "files": chunk_digest("\n".join(lines).encode())}

"""Writing the documents of a damaged store again, as they have to be."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from teachonce.cache.correct import corrected, proves_itself
from teachonce.cache.create import documents
from teachonce.cache.documents import (
    DOCUMENT,
    check_document,
    check_sealed,
    document_bytes,
    group_document,
    journal_document,
    read_document,
)
from teachonce.cache.identity import chunk_digest, journal_digest
from teachonce.cache.layout import SAMPLES
from teachonce.cache.locks import documents_lock
from teachonce.cache.spec import StoreSpec
from teachonce.cache.store import Store, read_store
from teachonce.cache.targets import read_target, target_names
from teachonce.errors import CorruptError, MismatchError, StoreError, StoreMissingError
from teachonce.fsio import disk_errors, json_bytes, remove_temporaries, write_bytes

_COPY = "Restore it from a copy, or remove the store to make it again"
_OPTIONS = "Use the --views, --augment, --seed, --block-rows and data that it was made with, or restore it from a copy"


def restore_root(path: Path, *fresh: StoreSpec) -> StoreSpec:
    """See that the root's document is the one that was sealed.

    Args:
        path: The store.
        fresh: What a new store of the same settings and data would be about, as each version would write it.

    Returns:
        What the root says.

    Raises:
        CorruptError: It is damaged, and cannot be made again.
        DiskError: It cannot be written.
    """
    if believed_seal(path) is None:
        correct(path, path / SAMPLES, proves_itself)
    place, seal = path / DOCUMENT, believed_seal(path)
    expected = None if seal is None else seal.get("root")
    data, made = _bytes_of(place), [json_bytes(documents(spec)[""]) for spec in fresh]

    def proves(tried: bytes) -> bool:
        return tried in made if expected is None else chunk_digest(tried) == expected

    unreadable = _unreadable(path)
    if not proves(data) and (expected is not None or unreadable is not None):
        found = None if expected is None else next(filter(proves, made), None)
        found = corrected(data, proves) if found is None else found
        if found is None and expected is not None:
            raise CorruptError(f"{place} is missing or damaged, and these options result in another document", _OPTIONS)
        if found is None and data and isinstance(unreadable, StoreMissingError | MismatchError):
            raise unreadable  # another Zarr group, or a newer format
        if found is None:
            raise CorruptError(f"{place} is missing or damaged, and cannot be reconstructed", _COPY)
        _write(path, place, found)
    restore_documents(path, {"journal": journal_document()})
    return read_store(path).spec


def _unreadable(path: Path) -> StoreError | None:
    """Why a store cannot be read by its root; None where it can."""
    try:
        read_store(path)
    except StoreError as error:
        return error
    return None


def believed_seal(path: Path) -> dict[str, Any] | None:
    """The seal of the samples, or the one that was taken off; None: there is none that can be believed."""
    folder = path / SAMPLES
    try:
        document = read_document(folder, "group")
        sealed, seal = (document["attributes"].get(key) for key in ("sealed", "seal"))
        if not isinstance(seal, dict) or not isinstance(seal.get("journal"), str):
            return None
        if sealed is True:
            check_sealed(folder, document, expected="root" in seal)
    except StoreError:
        return None
    return seal


def correct(root: Path, folder: Path, proves: Callable[[bytes], bool]) -> None:
    """Put a bit of a document back that has flipped, if that is what is wrong with it."""
    data = _bytes_of(folder / DOCUMENT)
    found = None if not data or proves(data) else corrected(data, proves)
    if found is not None:
        _write(root, folder / DOCUMENT, found)


def _bytes_of(place: Path) -> bytes:
    try:
        return document_bytes(place.parent)
    except StoreError:
        return b""


def _write(root: Path, place: Path, data: bytes) -> None:
    free_above(root, root / "journal" / "lock")
    with documents_lock(root):
        clear(root, place)
        write_bytes(place, data)


def clear(root: Path, place: Path) -> None:
    """Remove what is not a regular file in the place of one, and what killed writers left beside it."""
    free_above(root, place)
    with disk_errors(place):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        elif (place.exists() or place.is_symlink()) and not place.is_file():
            place.unlink()
        remove_temporaries(place.parent, deep=False)


def free_above(root: Path, place: Path) -> None:
    """Remove what is no folder where one has to be above a file."""
    with disk_errors(place):
        for part in reversed(place.relative_to(root).parents):
            folder = root / part
            if not folder.is_dir() and (folder.exists() or folder.is_symlink()):
                folder.unlink()


def restore_documents(root: Path, expected: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Write documents that are missing or damaged again.

    Args:
        root: The store.
        expected: Node -> its document; None: not looked at.

    Raises:
        DiskError: They cannot be written.
    """
    wrong = [(node, document) for node, document in expected.items() if document and not _is(root / node, document)]
    for node, document in wrong:
        _write(root, root / node / DOCUMENT, json_bytes(document))


def _is(folder: Path, document: Mapping[str, Any]) -> bool:
    try:
        check_document(folder, document)
    except StoreError:
        return False
    return True


def restore_samples(store: Store) -> None:
    """Write the documents of samples and views, and of the groups, again; a seal that cannot be believed is taken off.

    Raises:
        DiskError: They cannot be written.
    """
    restore_documents(store.path, {**documents(store.spec), "": None, SAMPLES: None})
    try:
        _ = store.samples_seal
    except StoreError:
        open_samples(store.path, _seal_of_targets(store))


def open_samples(root: Path, seal: Mapping[str, Any] | None) -> None:
    """Take the seal off the samples, and keep what it said: they are sealed again only as they were."""
    document = group_document({"sealed": False, "seal": None if seal is None else dict(seal)})
    _write(root, root / SAMPLES / DOCUMENT, json_bytes(document))


def _seal_of_targets(store: Store) -> dict[str, str] | None:
    """The journal of the samples that the store's targets name, where the samples' own document is lost.

    None where they name several, of which none is that of the records that are there: a target is of another store.
    """
    named = set()
    for name in target_names(store.path):
        try:
            spec = store.spec
            record = read_target(store.path, name, rows=spec.rows, block_rows=spec.block_rows, samples=None)
        except StoreError:
            continue
        if record.samples is not None:
            named.add(record.samples)
    there = journal_digest(record.data for record in store.journal.present().values())
    found = there if there in named else named.pop() if len(named) == 1 else None
    return None if found is None else {"journal": found}

"""Repairing a store: documents are written again as they have to be, bad blocks are dropped, seals are taken off.

Whoever made the store then writes the dropped blocks again and seals: the bytes are those of an undisturbed run. A kill
at any point leaves a store that readers refuse, and that the same command goes on with.
"""

import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from teachonce.cache.audit import find_problems
from teachonce.cache.begin import Beginning
from teachonce.cache.correct import corrected, proves_beginning, proves_itself
from teachonce.cache.create import documents
from teachonce.cache.documents import (
    DOCUMENT,
    check_document,
    check_sealed,
    document_bytes,
    group_document,
    journal_document,
    read_document,
    sealed_document,
)
from teachonce.cache.identity import chunk_digest, journal_digest
from teachonce.cache.journal import Journal
from teachonce.cache.layout import SAMPLES, Grid, class_grids, head_grids, lock_path, weights_grid
from teachonce.cache.locks import BlockLock, documents_lock
from teachonce.cache.problems import Problem
from teachonce.cache.seal import AGAIN, remove_tree, seal_records, unseal_target
from teachonce.cache.spec import StoreSpec
from teachonce.cache.store import Store, read_store
from teachonce.cache.targets import TargetRecord, read_target, target_names
from teachonce.errors import CorruptError, MismatchError, StoreError, StoreMissingError
from teachonce.fsio import disk_errors, json_bytes, remove_temporaries, sync_folder, write_bytes

_COPY = "Restore it from a copy, or remove the store to make it again"
_OPTIONS = "Give --views, --augment, --seed, --block-rows and the data as when it was made, or restore it from a copy"


def restore_root(path: Path, fresh: StoreSpec) -> StoreSpec:
    """See that the root's document is the one that was sealed.

    Args:
        path: The store.
        fresh: What a new store of the same settings and data would be about.

    Returns:
        What the root says.

    Raises:
        CorruptError: It is damaged, and cannot be made again.
        DiskError: It cannot be written.
    """
    if _believed_seal(path) is None:
        _correct(path, path / SAMPLES, proves_itself)
    place, seal = path / DOCUMENT, _believed_seal(path)
    expected = None if seal is None else seal.get("root")
    data, made = _bytes_of(place), json_bytes(documents(fresh)[""])

    def proves(tried: bytes) -> bool:
        return tried == made if expected is None else chunk_digest(tried) == expected

    unreadable = _unreadable(path)
    if not proves(data) and (expected is not None or unreadable is not None):
        found = made if expected is not None and proves(made) else corrected(data, proves)
        if found is None and expected is not None:
            raise CorruptError(f"{place} is missing or damaged, and these options give another one", _OPTIONS)
        if found is None and data and isinstance(unreadable, StoreMissingError | MismatchError):
            raise unreadable  # another Zarr group, or a newer format
        if found is None:
            raise CorruptError(f"{place} is missing or damaged, and nothing says what it was", _COPY)
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


def _believed_seal(path: Path) -> dict[str, Any] | None:
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


def _correct(root: Path, folder: Path, proves: Callable[[bytes], bool]) -> None:
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
    _free_above(root, root / "journal" / "lock")
    with documents_lock(root):
        _clear(root, place)
        write_bytes(place, data)


def _clear(root: Path, place: Path) -> None:
    """Remove what is no regular file in the place of one, and what killed writers left beside it."""
    _free_above(root, place)
    with disk_errors(place):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        elif (place.exists() or place.is_symlink()) and not place.is_file():
            place.unlink()
        remove_temporaries(place.parent, deep=False)


def _free_above(root: Path, place: Path) -> None:
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
        _open_samples(store.path, _seal_of_targets(store))


def _open_samples(root: Path, seal: Mapping[str, Any] | None) -> None:
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


def bad_blocks(problems: Iterable[Problem], journal: Journal) -> list[int]:
    """The blocks of a journal that have to be written again.

    Where the records together are not those that were sealed, and no block shows why, it is the reason of a failed row
    that was damaged: then all blocks with failed rows are bad.
    """
    own = [problem for problem in problems if problem.target == journal.name]
    blocks = {problem.block for problem in own if problem.block is not None}
    if not blocks and any(problem.kind == "seal" and problem.file == f"journal/{journal.name}" for problem in own):
        blocks = {block for block, record in journal.present().items() if record.failed} or set(range(journal.blocks))
    return sorted(blocks)


def _drop(journal: Journal, blocks: Collection[int]) -> None:
    """Remove the records of blocks, which are locked, and what killed writers left.

    Raises:
        DiskError: They cannot be removed.
    """
    folder = journal.path(0).parent
    with disk_errors(folder):
        for block in blocks:
            for place in (journal.path(block), *(journal.root / key for key in journal.keys(block))):
                _clear(journal.root, place)
            journal.path(block).unlink(missing_ok=True)
        for grid in journal.grids:
            remove_temporaries(journal.root / grid.path)
        remove_temporaries(folder, deep=False)
        sync_folder(folder)


@contextmanager
def _locked(journal: Journal) -> Iterator[None]:
    """All blocks of a journal, as a writer has them.

    Raises:
        BusyError: Another process writes some of them.
        DiskError: The lock cannot be made.
    """
    place = lock_path(journal.root, journal.name)
    _free_above(journal.root, place)
    lock = BlockLock(place, range(journal.blocks))
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True, kw_only=True)
class RepairRule:
    """How a target was sealed, to know its seal again."""

    classes: int | None
    per_class: int | None


def repair_target(store: Store, beginning: Beginning, rule: RepairRule) -> list[int]:
    """Write what is damaged of a target's documents, head and weights again, and drop its bad blocks.

    The records are dropped before the seal is taken off, so that a kill between the two leaves what readers refuse.

    Args:
        store: Its documents and samples are mended.
        beginning: The target as it would be begun now.
        rule: How it was sealed.

    Returns:
        The blocks to write again.

    Raises:
        StoreMissingError: Nothing is there of this target, but of others.
        MismatchError: The target was made from other things; nothing is written.
        CorruptError: Its own document is damaged, and cannot be made again.
        BusyError: Another process writes it.
        DiskError: It cannot be written.
    """
    root, name, folder = store.path, beginning.name, beginning.folder
    journal = Journal(root=root, name=name, grids=beginning.grids)
    if not folder.exists() and not journal.path(0).parent.exists() and (others := target_names(root)):
        message = f"{root} has no target {name!r} to repair: it has {', '.join(others)}"
        raise StoreMissingError(message, "Choose one of them, or run the same command without --repair")
    if not (folder / DOCUMENT).exists() and not any(journal.path(0).parent.glob("*.json")):
        return []  # its beginning was killed
    with _locked(journal):
        return _repair_target(store, beginning, rule, journal)


def _repair_target(store: Store, beginning: Beginning, rule: RepairRule, journal: Journal) -> list[int]:
    root, name, folder = store.path, beginning.name, beginning.folder
    record = readable(store, name)
    lost = None if record is not None else _sealed_as(beginning, journal, rule, store.samples_seal.get("journal"))
    if record is None and lost is None:
        mend = f"Restore it from a copy, or remove targets/{name}, journal/{name} and classes/{name} to embed again"
        raise CorruptError(f"{folder / DOCUMENT} is missing or damaged, and nothing proves what it was", mend)
    if record is not None:
        beginning.compare(record)
    for grid in beginning.grids:
        _clear(root, root / grid.path / DOCUMENT)
    for grid in head_or_weights(beginning):
        for place in (root / grid.path / DOCUMENT, root / grid.key(0)):
            _clear(root, place)
    beginning.restore(lost)
    restore_documents(root, store.record(name, arrays=False).documents)
    problems = [p for p in find_problems(root, names=[name], zeros=False) if p.target == name and p.kind != "unsealed"]
    blocks = bad_blocks(problems, journal) or _not_as_sealed({} if record is None else record.kept, journal)
    _drop(journal, blocks)
    if problems or blocks or record is None:
        with documents_lock(root):
            unseal_target(folder, blocks)
    if any(problem.file.startswith("classes/") for problem in problems):
        remove_tree(root / "classes" / name)  # the seal computes the means again
    return blocks


def readable(store: Store, name: str) -> TargetRecord | None:
    """What a target's own document says, a bit that flipped put back; None: it is missing or damaged.

    Raises:
        MismatchError: It is a target of other samples.
    """
    folder = store.path / "targets" / name
    for proves in (proves_itself, proves_beginning):
        try:
            return store.record(name, arrays=False)
        except MismatchError:
            raise
        except StoreError:
            _correct(store.path, folder, proves)
    try:
        return store.record(name, arrays=False)
    except (CorruptError, StoreMissingError):
        return None


def head_or_weights(beginning: Beginning) -> tuple[Grid, ...]:
    """The arrays of one chunk that are written when a target is begun."""
    weight = None if beginning.head is None else np.shape(beginning.head[0])
    head = (
        ()
        if weight is None
        else head_grids(
            beginning.name, (weight[0], weight[1]), bias=beginning.head is not None and beginning.head[1] is not None
        )
    )
    return (*head, *(() if beginning.weights is None else (weights_grid(beginning.name, len(beginning.weights)),)))


def _sealed_as(beginning: Beginning, journal: Journal, rule: RepairRule, samples: str | None) -> dict[str, Any] | None:
    """What the seal of a damaged document said, if it was that of this beginning over the blocks that are there."""
    try:
        text = document_bytes(beginning.folder)
        _, seal = seal_records(journal)
    except StoreError:
        return None
    found = re.search(rb'"document": "([0-9a-f]{32})"', text)
    means = () if rule.classes is None else class_grids(beginning.name, rule.classes, _length(beginning))
    files = {grid.key(0): beginning.root / grid.key(0) for grid in means if _length(beginning)}
    if found is None or not all(file.is_file() for file in files.values()):
        return None
    chunks = {key: chunk_digest(file.read_bytes()) for key, file in files.items()}
    wanted = {"classes": rule.classes, "per_class": rule.per_class}
    _, attributes = beginning.contents()
    sealed = sealed_document({**attributes, "samples": samples}, {**seal, **wanted, "chunks": chunks})
    is_it = sealed["attributes"]["seal"]["document"] == found[1].decode()
    return {**seal, **wanted} if is_it else None


def _length(beginning: Beginning) -> int:
    spec = beginning.arrays.get("image_embedding")
    return 0 if spec is None else spec.shape[-1]


def repair_samples(store: Store) -> list[int]:
    """Write what is damaged of the samples' documents again, and drop their bad blocks.

    Args:
        store: By its root's attributes, which have been mended.

    Returns:
        The blocks to write again.

    Raises:
        BusyError: Another process writes them.
        DiskError: They cannot be written.
    """
    restore_samples(store)
    problems = [p for p in find_problems(store.path, names=()) if p.target == SAMPLES and p.kind != "unsealed"]
    blocks, seal = bad_blocks(problems, store.journal), store.samples_seal
    kept = seal or _believed_seal(store.path) or {}
    if not seal and not blocks:
        blocks = _not_as_sealed(kept, store.journal)
    with _locked(store.journal):
        _drop(store.journal, blocks)
    if kept and (problems or blocks):
        again = sorted({*blocks, *kept.get(AGAIN, ())})
        _open_samples(store.path, {key: value for key, value in kept.items() if key != "document"} | {AGAIN: again})
    return blocks


def _not_as_sealed(kept: Mapping[str, Any], journal: Journal) -> list[int]:
    """The blocks to make once more where all are there, but together they are not what was sealed before.

    Those that were made again since then: from other data, or on a machine that computes other values.
    """
    records = journal.present()
    if not kept or len(records) < journal.blocks:
        return []
    if journal_digest(record.data for record in records.values()) == kept["journal"]:
        return []
    return list(kept.get(AGAIN, range(journal.blocks)))

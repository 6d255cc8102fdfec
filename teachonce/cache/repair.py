"""Repairing a store: documents are written again as they have to be, bad blocks are dropped, seals are taken off.

Whoever made the store then writes the dropped blocks again and seals: the bytes are those of an undisturbed run. A kill
at any point leaves a store that readers refuse, and that the same command goes on with.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from teachonce.cache.audit import find_problems
from teachonce.cache.begin import Beginning
from teachonce.cache.create import documents
from teachonce.cache.documents import (
    DOCUMENT,
    check_document,
    check_sealed,
    document_bytes,
    group_document,
    read_document,
    sealed_document,
)
from teachonce.cache.identity import chunk_digest
from teachonce.cache.journal import Journal
from teachonce.cache.layout import SAMPLES, class_grids, lock_path
from teachonce.cache.locks import BlockLock, documents_lock
from teachonce.cache.problems import Problem
from teachonce.cache.seal import seal_records, write_seal
from teachonce.cache.spec import StoreSpec
from teachonce.cache.store import Store, read_store
from teachonce.errors import CorruptError, MismatchError, StoreError
from teachonce.fsio import disk_errors, json_bytes, sync_folder, write_bytes, write_files

_OPTIONS = "Give --views, --augment, --seed, --block-rows and the data as when it was made, or restore it from a copy"


def sound_spec(path: Path) -> StoreSpec | None:
    """What the root of a store says, if it can be believed; None: it is missing, damaged, or not what was sealed."""
    try:
        store = read_store(path)
    except StoreError:
        return None
    try:
        _ = store.samples_seal
    except CorruptError:
        return None if _sealed_root(path) not in (None, chunk_digest(document_bytes(path))) else store.spec
    except StoreError:
        pass
    return store.spec


def _sealed_root(path: Path) -> str | None:
    """The digest of the root that the samples' seal holds, if its document can be read."""
    try:
        seal = json.loads(document_bytes(path / SAMPLES))["attributes"]["seal"]
        return None if seal is None else seal.get("root")
    except (StoreError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def restore_root(path: Path, spec: StoreSpec) -> None:
    """Write the root's document again, where that is what is damaged.

    Raises:
        CorruptError: It would not be the one that was sealed, or nothing says what was sealed.
        DiskError: It cannot be written.
    """
    data = json_bytes(documents(spec)[""])
    sealed = _sealed_root(path)
    if _is_root(path, data) and not _is_seal_sound(path):
        return  # what contradicts it is itself damaged
    if sealed != chunk_digest(data):
        got = "nothing says what it was" if sealed is None else "these options give another one"
        raise CorruptError(f"{path / DOCUMENT} is damaged, and {got}", _OPTIONS)
    with documents_lock(path):
        write_bytes(path / DOCUMENT, data)


def _is_root(path: Path, data: bytes) -> bool:
    try:
        return document_bytes(path) == data
    except StoreError:
        return False


def _is_seal_sound(path: Path) -> bool:
    """Whether the document of the samples is what was sealed."""
    try:
        return check_sealed(path / SAMPLES, read_document(path / SAMPLES, "group"), expected=True)
    except (StoreError, ValueError, KeyError, TypeError):
        return False


def restore_documents(root: Path, expected: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """Write documents that are missing or damaged again.

    Args:
        root: The store.
        expected: Node -> its document; None: not looked at.

    Returns:
        The nodes whose documents were written.

    Raises:
        DiskError: They cannot be written.
    """
    wrong = [(node, document) for node, document in expected.items() if document and not _is(root / node, document)]
    if wrong:
        files = [(root / node / DOCUMENT, json_bytes(document)) for node, document in wrong]
        with documents_lock(root):
            write_files(files, tops=[root])
    return [node for node, _ in wrong]


def _is(folder: Path, document: Mapping[str, Any]) -> bool:
    try:
        check_document(folder, document)
    except StoreError:
        return False
    return True


def restore_samples(store: Store) -> list[str]:
    """Write the documents of samples and views, and of the groups, again; a damaged seal of the samples is taken off.

    Returns:
        The nodes whose documents were written.

    Raises:
        DiskError: They cannot be written.
    """
    nodes: dict[str, Any] = {**documents(store.spec), "": None, SAMPLES: None}
    written = restore_documents(store.path, nodes)
    try:
        _ = store.samples_seal
    except StoreError:
        with documents_lock(store.path):
            write_bytes(store.path / SAMPLES / DOCUMENT, json_bytes(group_document({"sealed": False, "seal": None})))
        written.append(SAMPLES)
    return written


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


def reopen(journal: Journal, folder: Path, blocks: Collection[int]) -> None:
    """Drop the records of blocks, then take the seal off: in this order, so that a kill leaves nothing that is read.

    Args:
        journal: Of the samples or of a target.
        folder: The group whose document holds the seal.
        blocks: Which.

    Raises:
        BusyError: Another process writes them.
        DiskError: They cannot be removed.
    """
    lock = BlockLock(lock_path(journal.root, journal.name), range(journal.blocks))
    try:
        with disk_errors(journal.path(0).parent):
            for block in blocks:
                journal.path(block).unlink(missing_ok=True)
            sync_folder(journal.path(0).parent)
    finally:
        lock.release()
    with documents_lock(journal.root):
        write_seal(folder, None)


@dataclass(frozen=True, kw_only=True)
class RepairRule:
    """How a target was sealed, to know its seal again."""

    classes: int | None
    per_class: int | None


def repair_target(store: Store, beginning: Beginning, rule: RepairRule) -> list[int]:
    """Write what is damaged of a target's documents, head and weights again, and drop its bad blocks.

    Where its own document is damaged, its blocks are kept only if the document that is made again is the one that was
    sealed; else nothing proves that they are of this teacher, and all of them are dropped.

    Args:
        store: Its documents and samples are mended.
        beginning: The target as it would be begun now.
        rule: How it was sealed.

    Returns:
        The blocks to write again.

    Raises:
        MismatchError: The target was made from other things; nothing is written.
        BusyError: Another process writes it.
        DiskError: It cannot be written.
    """
    root, name, folder = store.path, beginning.name, beginning.folder
    journal = Journal(root=root, name=name, grids=beginning.grids)
    if not folder.exists() and not journal.path(0).parent.exists():
        return []
    samples = store.samples_seal.get("journal")
    try:
        record = store.record(name, arrays=False)
    except MismatchError:
        raise
    except StoreError:
        record = None
    if record is not None:
        beginning.compare(record)
    known = record is not None or _is_sealed_one(beginning, journal, rule, samples)
    beginning.restore(record)
    restore_documents(root, store.record(name, arrays=False).documents)
    problems = [p for p in find_problems(root, names=[name], zeros=False) if p.target == name and p.kind != "unsealed"]
    blocks = bad_blocks(problems, journal) if known else list(range(journal.blocks))
    if problems or not known:
        reopen(journal, folder, blocks)
    return blocks


def _is_sealed_one(beginning: Beginning, journal: Journal, rule: RepairRule, samples: str | None) -> bool:
    """Whether a damaged document was that of this beginning, sealed over the blocks that are there."""
    try:
        text = document_bytes(beginning.folder)
        _, seal = seal_records(journal)
    except StoreError:
        return False
    found = re.search(rb'"document": "([0-9a-f]{32})"', text)
    means = () if rule.classes is None else class_grids(beginning.name, rule.classes, _length(beginning))
    files = {grid.key(0): beginning.root / grid.key(0) for grid in means if _length(beginning)}
    if found is None or not all(file.is_file() for file in files.values()):
        return False
    chunks = {key: chunk_digest(file.read_bytes()) for key, file in files.items()}
    wanted = {"classes": rule.classes, "per_class": rule.per_class}
    _, attributes = beginning.contents()
    sealed = sealed_document({**attributes, "samples": samples}, {**seal, **wanted, "chunks": chunks})
    return bool(sealed["attributes"]["seal"]["document"] == found[1].decode())


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
    blocks = bad_blocks(problems, store.journal)
    if problems:
        reopen(store.journal, store.path / SAMPLES, blocks)
    return blocks

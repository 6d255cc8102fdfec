"""Repairing a store: documents are written again as they have to be, bad blocks are dropped, seals are taken off.

Whoever made the store then writes the dropped blocks again and seals: the bytes are those of an undisturbed run. A kill
at any point leaves a store that readers refuse, and that the same command goes on with.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from teachonce.cache.audit import find_problems
from teachonce.cache.begin import Beginning
from teachonce.cache.correct import proves_beginning, proves_itself
from teachonce.cache.documents import (
    DOCUMENT,
    document_bytes,
    sealed_document,
)
from teachonce.cache.identity import chunk_digest, journal_digest
from teachonce.cache.journal import Journal
from teachonce.cache.layout import SAMPLES, Grid, class_grids, head_grids, lock_path, weights_grid
from teachonce.cache.locks import BlockLock, documents_lock
from teachonce.cache.problems import Problem
from teachonce.cache.restore import (
    believed_seal,
    clear,
    correct,
    free_above,
    open_samples,
    restore_documents,
    restore_samples,
)
from teachonce.cache.seal import AGAIN, remove_tree, seal_records, unseal_target
from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord, target_names
from teachonce.errors import CorruptError, MismatchError, StoreError, StoreMissingError
from teachonce.fsio import disk_errors, remove_temporaries, sync_folder


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
                clear(journal.root, place)
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
    free_above(journal.root, place)
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
        raise CorruptError(f"{folder / DOCUMENT} is missing or damaged, and cannot be reconstructed", mend)
    if record is not None:
        beginning.compare(record)
    for grid in beginning.grids:
        clear(root, root / grid.path / DOCUMENT)
    for grid in head_or_weights(beginning):
        for place in (root / grid.path / DOCUMENT, root / grid.key(0)):
            clear(root, place)
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
            correct(store.path, folder, proves)
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
    kept = seal or believed_seal(store.path) or {}
    if not seal and not blocks:
        blocks = _not_as_sealed(kept, store.journal)
    with _locked(store.journal):
        _drop(store.journal, blocks)
    if kept and (problems or blocks):
        again = sorted({*blocks, *kept.get(AGAIN, ())})
        open_samples(store.path, {key: value for key, value in kept.items() if key != "document"} | {AGAIN: again})
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

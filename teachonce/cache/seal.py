"""The seal: the record, written last, that says that a target is complete and what its bytes are."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.chunks import Chunks, whole_chunk
from teachonce.cache.classes import chosen_rows, class_means
from teachonce.cache.documents import DOCUMENT, array_document, group_document, read_document, sealed_document
from teachonce.cache.identity import chunk_digest, journal_digest
from teachonce.cache.journal import Journal, Record
from teachonce.cache.layout import SAMPLES, Grid, class_grids
from teachonce.cache.targets import target_names
from teachonce.errors import FailedSamplesError, InputError, MismatchError, StoreError, UnsealedError
from teachonce.fsio import disk_errors, json_bytes, remove_temporaries, write_bytes, write_files

KEPT = ("rows", "blocks", "failed", "journal", "classes", "per_class")
"""What is kept of a target's seal that is taken off."""
AGAIN = "again"
"""Beside it: the blocks that a repair makes again, which are made once more where the whole is not what it was."""
_GO_ON = "Run the same `teachonce embed` command again: it resumes where it stopped"


@dataclass(frozen=True, kw_only=True)
class ClassRule:
    """Which rows make the class means."""

    labels: NDArray[np.int32]
    """int32 (rows,), -1 where there is none."""
    classes: int
    per_class: int | None
    """None: all rows of a class."""


def class_rule(
    labels: NDArray[np.int32] | None, classes: int | None, per_class: int | None, rows: int
) -> ClassRule | None:
    """Check what the seal was given; None where there are no labels.

    Raises:
        InputError: Another number of labels than rows, or a limit below 1.
        MismatchError: A label beyond the classes.
    """
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != (rows,):
        raise InputError(f"expected {rows} labels, got an array of shape {labels.shape}", "Give one label per row")
    if per_class is not None and per_class < 1:
        raise InputError(f"--per-class is {per_class}", "Use a positive number, or all")
    largest = int(labels.max(initial=-1))
    classes = largest + 1 if classes is None else classes
    if largest >= classes:
        raise MismatchError(
            f"a label is {largest}, but there are {classes} classes", "Use the labels that belong to these classes"
        )
    return ClassRule(labels=labels.astype(np.int32), classes=classes, per_class=per_class)


def seal_records(journal: Journal) -> tuple[list[Record], dict[str, Any]]:
    """The records of all blocks, and what the seal says about them.

    Raises:
        UnsealedError: Blocks are missing.
    """
    present = journal.present()
    if len(present) < journal.blocks:
        first = next(block for block in range(journal.blocks) if block not in present)
        raise UnsealedError(
            f"{journal.name} of {journal.root} has {len(present)} of {journal.blocks} blocks; "
            f"the first that is missing is block {first}",
            _GO_ON,
        )
    records = list(present.values())
    failed = sum(len(record.failed) for record in records)
    digest = journal_digest(record.data for record in records)
    return records, {"rows": journal.grids[0].shape[0], "blocks": len(records), "failed": failed, "journal": digest}


def refuse_failed(records: list[Record], max_failed: int) -> None:
    """Refuse the seal where more rows failed than allowed.

    Raises:
        FailedSamplesError: Lists the first ten.
    """
    failed = [pair for record in records for pair in record.failed]
    if len(failed) > max_failed:
        shown = ", ".join(f"row {row} ({code})" for row, code in failed[:10])
        more = f" and {len(failed) - 10} more" if len(failed) > 10 else ""
        raise FailedSamplesError(
            f"{len(failed)} samples failed, {max_failed} are allowed: {shown}{more}",
            f"Correct them and make a new store, or run the same command with --max-failed {len(failed)}: "
            "it seals without running the teacher again",
        )


def write_attributes(folder: Path, document: dict[str, Any]) -> None:
    """Write the document of a group again, as its only writer.

    Raises:
        DiskError: The old one is still there.
    """
    with disk_errors(folder):
        remove_temporaries(folder, deep=False)
    write_bytes(folder / DOCUMENT, json_bytes(document))


def seal_samples(folder: Path, seal: dict[str, Any], root: str) -> None:
    """Seal the samples; where they were sealed before and reopened, only as they were.

    Args:
        folder: Their group.
        seal: What `seal_records` says.
        root: The digest of the root's document.

    Raises:
        MismatchError: They were sealed before, over other samples.
        DiskError: They are not sealed.
    """
    kept = read_document(folder, "group")["attributes"].get("seal")
    if kept is not None and kept.get("journal") != seal["journal"]:
        raise MismatchError(
            f"the samples of {folder.parent} that were decoded again are not those that were sealed: "
            f"expected a journal of digest {kept.get('journal')}, got {seal['journal']}",
            "Run the same command with --repair on the original data: a file has changed since, or cannot be read; "
            "if blocks of another store were copied over these, remove journal/samples first",
        )
    _bind_targets(folder.parent, seal["journal"])
    early = kept is not None and "blocks" in kept and "root" not in kept
    document = early_document({}, seal) if early else sealed_document({}, {**seal, "root": root})
    write_attributes(folder, document)


def seal_target(folder: Path, seal: dict[str, Any], samples: str) -> None:
    """Seal a target, bound to the samples whose journal has this digest.

    Raises:
        DiskError: It is not sealed.
    """
    attributes = read_document(folder, "group")["attributes"]
    if "samples" not in attributes:  # begun by an earlier version: nothing proves more than that said
        write_attributes(folder, early_document(attributes, seal))
        return
    write_attributes(folder, sealed_document({**attributes, "samples": samples}, seal))


def early_document(attributes: Mapping[str, Any], seal: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a sealed group as earlier versions wrote it, without a digest of its own."""
    return group_document({**attributes, "sealed": True, "seal": dict(seal)})


def _bind_targets(root: Path, samples: str) -> None:
    """Write into the targets that were begun before the samples were sealed which samples they are of."""
    for name in target_names(root):
        folder = root / "targets" / name
        with suppress(StoreError):  # of a damaged one nothing is known
            attributes = read_document(folder, "group")["attributes"]
            if attributes.get("sealed") is False and "samples" in attributes and attributes["samples"] is None:
                write_attributes(folder, open_document({**attributes, "samples": samples}, attributes.get("seal")))


def samples_digest(root: Path) -> str | None:
    """The digest of the journal of a store's samples; None before they are sealed."""
    if not (root / SAMPLES / DOCUMENT).exists():
        return None
    attributes = read_document(root / SAMPLES, "group")["attributes"]
    return str(attributes["seal"]["journal"]) if attributes.get("sealed") is True else None


def open_document(
    attributes: Mapping[str, Any], seal: Mapping[str, Any] | None, again: Iterable[int] = ()
) -> dict[str, Any]:
    """The document of a target that is not sealed.

    Args:
        attributes: Of the target.
        seal: What it was sealed as, where it was: then it will be sealed only over the same records.
        again: Blocks that are made again since then.
    """
    if not seal:
        return group_document({**attributes, "sealed": False, "seal": None})
    kept = {**{key: seal[key] for key in KEPT}, AGAIN: sorted({*again, *seal.get(AGAIN, ())})}
    if "samples" not in attributes:  # of an earlier version
        return group_document({**attributes, "sealed": False, "seal": kept})
    return sealed_document(attributes, kept, sealed=False)


def unseal_target(folder: Path, again: Iterable[int] = ()) -> None:
    """Take the seal off a target; what it said is kept.

    Args:
        folder: Its group.
        again: Blocks that are made again.

    Raises:
        DiskError: It is still there.
    """
    attributes = read_document(folder, "group")["attributes"]
    write_attributes(folder, open_document(attributes, attributes["seal"], again))


Means = tuple[NDArray[np.float32], NDArray[np.int64]]
"""float32 (classes, D) and int64 (classes,)."""


def compute_means(chunks: Chunks, grids: tuple[Grid, ...], rule: ClassRule | None) -> Means | None:
    """The class means of a target; None where there are no labels or no embeddings.

    Args:
        chunks: Its committed chunks, which are checked as they are read.
        grids: Its arrays.
        rule: Which rows; None: there are no labels.

    Raises:
        CorruptError: A chunk that is needed is damaged.
    """
    embedding = next((grid for grid in grids if grid.name == "image_embedding"), None)
    if rule is None or embedding is None:
        return None
    status = chunks.whole(next(grid for grid in grids if grid.name == "status"))
    rows = chosen_rows(rule.labels, status, rule.per_class)
    return class_means(chunks, embedding, rule.labels, rows, rule.classes)


def write_class_means(root: Path, name: str, means: Means | None) -> dict[str, str]:
    """Write `classes/NAME`, or remove it where there are none.

    Args:
        root: The store.
        name: The target.
        means: What `compute_means` gave.

    Returns:
        Chunk file, relative to the store -> its digest.

    Raises:
        DiskError: It cannot be written.
    """
    folder = root / "classes" / name
    if means is None:
        remove_tree(folder)
        return {}
    with disk_errors(folder):
        remove_temporaries(folder)
    mean, count = class_grids(name, *means[0].shape)
    files, digests = whole_files(root, [(mean, means[0]), (count, means[1])])
    write_files([*files, (folder / DOCUMENT, json_bytes(group_document({})))], tops=[root])
    return digests


def whole_files(
    root: Path, arrays: Sequence[tuple[Grid, NDArray[Any]]]
) -> tuple[list[tuple[Path, bytes | memoryview]], dict[str, str]]:
    """The files of arrays of one chunk each, and chunk file, relative to the store -> digest."""
    files: list[tuple[Path, bytes | memoryview]] = []
    digests = {}
    for grid, values in arrays:
        key, data = whole_chunk(grid, values)
        files += [(root / grid.path / DOCUMENT, json_bytes(array_document(grid))), (root / key, data)]
        digests[key] = chunk_digest(data)
    return files, digests


def remove_tree(folder: Path) -> None:
    """Remove a folder of ours, if it is there.

    Raises:
        DiskError: It cannot be removed.
    """
    with disk_errors(folder), suppress(FileNotFoundError):
        shutil.rmtree(folder)

"""How many bytes a sealed store takes, before anything of it is there."""

from collections.abc import Iterable
from typing import Any

from teachonce.cache.begin import Beginning
from teachonce.cache.create import documents
from teachonce.cache.documents import array_document, group_document
from teachonce.cache.journal import Journal, Record
from teachonce.cache.layout import SAMPLES, Grid, class_grids, sample_grids
from teachonce.cache.spec import StoreSpec
from teachonce.fsio import json_bytes

_DIGEST = "0" * 32  # every digest has this length


def sealed_bytes(spec: StoreSpec, target: Beginning, *, classes: int | None, per_class: int | None) -> int:
    """The bytes of all files of a store of one target, sealed, where no row failed.

    The documents are made as they will be written, with digests of zeros, so the sum is exact; what a file system
    adds for blocks and folders is not in it.

    Args:
        spec: The store.
        target: Its target.
        classes: How many class means there are; None: the data has no labels.
        per_class: The rule that their seal names; None: all rows of a class.
    """
    samples = Journal(root=target.root, name=SAMPLES, grids=sample_grids(spec.rows, spec.views, spec.block_rows))
    journal = Journal(root=target.root, name=target.name, grids=target.grids)
    means = _means(target, classes)
    rule = {"classes": classes, "per_class": None if classes is None else per_class}
    files, attributes = target.contents()
    nodes = documents(spec) | {SAMPLES: group_document({"sealed": True, "seal": {**_seal(samples), "root": _DIGEST}})}
    seal = _seal(journal) | rule | {"chunks": {grid.key(0): _DIGEST for grid in means}}
    sealed = group_document(attributes | {"sealed": True, "seal": seal, "samples": _DIGEST})
    return (
        sum(len(data) for _, data in files)
        + _documents([*nodes.values(), sealed, *map(array_document, means), *([group_document({})] if means else [])])
        + sum(grid.file_bytes for grid in (*samples.grids, *journal.grids, *means))
        + _records(samples)
        + _records(journal)
    )


def _means(target: Beginning, classes: int | None) -> tuple[Grid, ...]:
    embedding = target.arrays.get("image_embedding")
    if classes is None or embedding is None:
        return ()
    return class_grids(target.name, classes, embedding.shape[-1])


def _seal(journal: Journal) -> dict[str, Any]:
    return {
        "rows": journal.grids[0].shape[0],
        "blocks": journal.blocks,
        "failed": 0,
        "journal": _DIGEST,
        "document": _DIGEST,
    }


def _documents(values: Iterable[Any]) -> int:
    return sum(len(json_bytes(value)) for value in values)


def _records(journal: Journal) -> int:
    """The bytes of all records: those of blocks whose numbers have as many digits are of one length."""
    total, first = 0, 0
    while first < journal.blocks:
        end = min(journal.blocks, max(10, 10 ** len(str(first))))
        record = Record(block=first, chunks=dict.fromkeys(journal.keys(first), _DIGEST), failed=())
        total += (end - first) * len(record.to_bytes())
        first = end
    return total

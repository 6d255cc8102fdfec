"""What `inspect` tells of a store."""

import math
from pathlib import Path
from typing import Any

from teachonce.cache.layout import FORMAT
from teachonce.cache.mark import verified_at
from teachonce.cache.store import open_store
from teachonce.cache.targets import TargetRecord


def describe(path: str | Path) -> dict[str, Any]:
    """Everything a store says about itself, as JSON; unsealed targets too.

    Returns:
        format, rows, views, block_rows, bytes_per_sample (of all its arrays, bytes, without padding), identity, data,
        views_spec, samples {sealed, failed}, and targets: NAME -> kind, sealed, fingerprint, arrays, how far, and when
        it was verified in full (ISO 8601, UTC; None: never, or a file has changed since).

    Raises:
        StoreError: It cannot be read.
    """
    store = open_store(path)
    targets = store.targets()
    grids = list(store.journal.grids)
    for record in targets.values():
        grids += record.grids
    seal = store.samples_seal
    return {
        "format": FORMAT,
        **store.spec.to_json(),
        "bytes_per_sample": sum(math.prod(grid.shape[1:]) * grid.numpy.itemsize for grid in grids),
        "samples": {"sealed": bool(seal), "failed": seal.get("failed")},
        "targets": {
            name: _target(record) | {"verified": verified_at(store, name) if record.sealed else None}
            for name, record in targets.items()
        },
    }


def _target(record: TargetRecord) -> dict[str, Any]:
    arrays = {name: {"shape": list(spec.shape), "dtype": spec.dtype} for name, spec in record.arrays.items()}
    return {
        "kind": record.kind,
        "sealed": record.sealed,
        "fingerprint": record.fingerprint,
        "arrays": arrays,
        "bytes_per_sample": sum(math.prod(grid.shape[1:]) * grid.numpy.itemsize for grid in record.grids),
        "blocks_done": record.blocks_done,
        "blocks": record.blocks,
        "failed": record.failed,
        "head": record.head is not None,
        "weights_bytes": None if record.weights is None else record.weights["bytes"],
        "class_means": bool(record.seal.get("chunks")),
        "fingerprint_fields": dict(record.fingerprint_fields),
        "attributes": dict(record.attributes),
    }

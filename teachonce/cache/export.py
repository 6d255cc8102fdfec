"""A store as one HDF5 file, or as a folder of .npy files: the same names and values, and where they come from."""

import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np

from teachonce.cache.chunks import Chunks
from teachonce.cache.hdf5 import write_hdf5
from teachonce.cache.journal import Journal
from teachonce.cache.layout import FORMAT, KIND, Grid
from teachonce.cache.store import Store, open_store
from teachonce.cache.targets import TargetRecord
from teachonce.errors import InputError
from teachonce.fsio import TEMPORARY, disk_errors, sync_folder, write_json
from teachonce.places import require_space

Format = Literal["hdf5", "npy"]
Provenance = dict[str, dict[str, Any]]
"""Group, "" for the whole, to its attributes."""


def export(path: str | Path, out: str | Path, format: Format = "hdf5") -> Path:
    """Write samples, views and all targets of a store to another format; one block is in memory at a time.

    bfloat16 arrays keep their uint16 bits, with an attribute `dtype` that says so.

    Args:
        path: The store.
        out: The HDF5 file, or the folder of .npy files and `provenance.json`; it must not exist.
        format: hdf5 or npy.

    Returns:
        `out`.

    Raises:
        StoreMissingError: There is no store.
        UnsealedError: A target, or the samples, are not complete.
        InputError: `out` exists, or the format is neither.
        CorruptError: Bytes of the store are not what was sealed; nothing is left.
        DiskError: It cannot be written; nothing is left.
    """
    out = Path(out)
    writers: dict[str, Callable[..., None]] = {"hdf5": write_hdf5, "npy": _write_npy}
    if format not in writers:
        raise InputError(f"unknown format {format!r}", "Use hdf5 or npy")
    if out.exists():
        raise InputError(f"{out} already exists", "Remove it, or choose another --out")
    store = open_store(path)
    arrays, provenance = contents(store)
    require_space(out, sum(math.prod(grid.shape) * grid.numpy.itemsize for grid, _ in arrays))
    with _temporary(out) as temporary:
        writers[format](temporary, arrays, provenance)
    return out


def contents(store: Store) -> tuple[list[tuple[Grid, Chunks]], Provenance]:
    """Every array of a store with its chunks, and the attributes of its groups.

    Raises:
        UnsealedError: A target, or the samples, are not complete.
        CorruptError: Records or documents are not what was sealed.
    """
    samples = store.chunks
    arrays = [(grid, samples) for grid in store.journal.grids]
    provenance: Provenance = {
        "": {"kind": KIND, "format": FORMAT, **store.spec.to_json()},
        "samples": {"failed": _failed(store.journal)},
    }
    for name in store.targets():
        record = store.sealed(name)
        grids = (*record.grids, *record.head_grids, *record.weights_grids, *record.class_grids)
        arrays += [(grid, record.chunks) for grid in grids]
        provenance[f"targets/{name}"] = _attributes(record)
    return arrays, provenance


def _attributes(record: TargetRecord) -> dict[str, Any]:
    return {
        "kind": record.kind,
        "fingerprint": record.fingerprint,
        "fingerprint_fields": dict(record.fingerprint_fields),
        **record.attributes,
        "seal": dict(record.seal),
        "failed": _failed(record.journal),
    }


def _failed(journal: Journal) -> dict[str, str]:
    return {str(row): code for row, code in journal.failed().items()}


@contextmanager
def _temporary(out: Path) -> Iterator[Path]:
    """A place beside `out` that becomes `out` when the body ends well, and is removed when it does not."""
    temporary = out.with_name(f"{TEMPORARY}{out.name}")
    try:
        with disk_errors(out):
            out.parent.mkdir(parents=True, exist_ok=True)
            _remove(temporary)
            yield temporary
            temporary.rename(out)
            sync_folder(out.parent)
    finally:
        with suppress(OSError):
            _remove(temporary)


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _write_npy(out: Path, arrays: list[tuple[Grid, Chunks]], provenance: Provenance) -> None:
    kinds = {grid.path: {"dtype": grid.dtype, "shape": list(grid.shape)} for grid, _ in arrays}
    write_json(out / "provenance.json", {"groups": provenance, "arrays": kinds})
    for grid, chunks in arrays:
        path = out / f"{grid.path}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        header = {"descr": grid.numpy.str, "fortran_order": False, "shape": grid.shape}
        with path.open("wb") as file:  # no memory map: on a full disk that would kill the process
            np.lib.format.write_array_header_1_0(file, header)
            for _, values in chunks.row_blocks(grid):
                file.write(np.ascontiguousarray(values).data)
            file.flush()
            os.fsync(file.fileno())

"""Creating a store: its documents, the root's last."""

from pathlib import Path
from typing import Any

from teachonce.cache.documents import DOCUMENT, array_document, group_document, journal_document
from teachonce.cache.layout import FORMAT, KIND, sample_grids
from teachonce.cache.locks import documents_lock
from teachonce.cache.spec import StoreSpec
from teachonce.errors import StoreError
from teachonce.fsio import TEMPORARY, disk_errors, json_bytes, remove_temporaries, write_bytes, write_files


def create(path: Path, spec: StoreSpec) -> None:
    """Write the documents of a new store, unless somebody else just did; where the root's is, the others are.

    Raises:
        StoreError: The folder holds something else.
        DiskError: It cannot be written; the same call may be made again.
    """
    foreign = _foreign(path)
    if foreign and not (path / DOCUMENT).exists():  # somebody else may just have created it
        raise StoreError(f"{path} is {foreign}", "Choose another --store")
    with documents_lock(path):
        if not (path / DOCUMENT).exists():
            _write(path, spec)


def _foreign(path: Path) -> str | None:
    """What keeps a place from becoming a store; None where it is free, or holds what a killed creation left."""
    if path.exists() and not path.is_dir():
        return "a file, not a store"
    for file in path.rglob("*") if path.exists() else ():
        ours = file.name in (DOCUMENT, "lock") or file.name.startswith(TEMPORARY)
        if not (ours or file.is_dir()):
            return f"not empty and not a store: it has {file.name}"
    return None


def documents(spec: StoreSpec) -> dict[str, dict[str, Any]]:
    """The documents of a new store by node; that of "" is the root's, which is written last."""
    grids = sample_grids(spec.rows, spec.views, spec.block_rows)
    return {
        "journal": journal_document(),
        "samples": group_document({"sealed": False, "seal": None}),
        "views": group_document({}),
        "targets": group_document({}),
        "classes": group_document({}),
        **{grid.path: array_document(grid) for grid in grids},
        "": group_document({"kind": KIND, "format": FORMAT, **spec.to_json()}),
    }


def _write(path: Path, spec: StoreSpec) -> None:
    with disk_errors(path):
        remove_temporaries(path)
        for grid in sample_grids(spec.rows, spec.views, spec.block_rows):
            (path / grid.path / "c").mkdir(parents=True, exist_ok=True)
    nodes = documents(spec)
    root = nodes.pop("")
    files = [(path / place / DOCUMENT, json_bytes(document)) for place, document in nodes.items()]
    write_files(files, tops=[path.parent])
    write_bytes(path / DOCUMENT, json_bytes(root))

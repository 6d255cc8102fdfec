"""Beginning a target: its attributes and documents, written before the first block; and refusing to mix two of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.documents import DOCUMENT, array_document, begun_digest, group_document
from teachonce.cache.dtypes import is_finite
from teachonce.cache.identity import chunk_digest, fingerprint_digest, first_difference, plain, short
from teachonce.cache.layout import Grid, head_grids, weights_grid
from teachonce.cache.locks import documents_lock
from teachonce.cache.seal import open_document, remove_tree, samples_digest, whole_files
from teachonce.cache.targets import TargetRecord, target_grids
from teachonce.errors import InputError, MismatchError, NonFiniteError
from teachonce.fsio import disk_errors, json_bytes, write_bytes, write_files
from teachonce.types import ArraySpec

Head = tuple[NDArray[np.float32], NDArray[np.float32] | None]


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """All that is known of a target before its first block."""

    root: Path
    name: str
    kind: str
    fingerprint: Mapping[str, Any]
    settings: Mapping[str, Any]
    info: Mapping[str, Any]
    arrays: Mapping[str, ArraySpec]
    """Name -> shape (rows, views, length) and stored dtype."""
    head: Head | None
    weights: bytes | None
    """A safetensors file."""
    block_rows: int

    @property
    def grids(self) -> tuple[Grid, ...]:
        """The row-wise arrays, `status` first."""
        return target_grids(self.name, self.arrays, self.block_rows)

    @property
    def folder(self) -> Path:
        """The target's group."""
        return self.root / "targets" / self.name

    def compare(self, record: TargetRecord) -> None:
        """Refuse to go on with a target that was begun from other things.

        Raises:
            MismatchError: Names the first field that differs, what was expected and what was got.
        """
        for label, stored, given in (
            ("kind", record.kind, self.kind),
            ("", record.fingerprint_fields, plain(self.fingerprint)),
            ("array", _arrays_json(record.arrays), _arrays_json(self.arrays)),
            ("", record.settings, plain(self.settings)),
            ("", _weights_json(record.digests, record.weights_grids), self._weights_json()),
        ):
            found = first_difference(stored, given, label)
            if found:
                name, expected, got = found
                raise MismatchError(
                    f"target {self.name!r} of {self.root} was made with another {name}: "
                    f"expected {short(expected)}, got {short(got)}",
                    "Use the same as before, another --name, or another --store",
                )

    def _weights_json(self) -> dict[str, Any]:
        return {} if self.weights is None else {"weights": chunk_digest(self.weights)}

    def write(self) -> None:
        """Write the documents, head and weights; the target's own document last: where it is, the rest is.

        Raises:
            NonFiniteError: The head holds NaN or infinity.
            DiskError: Nothing counts; the same call may be made again.
        """
        with documents_lock(self.root):
            if (self.folder / DOCUMENT).exists():
                return
            remove_tree(self.folder)  # a beginning that was killed
            remove_tree(self.root / "classes" / self.name)
            files, attributes = self.contents()  # now: the samples may just have been sealed
            with disk_errors(self.folder):
                for grid in self.grids:
                    (self.root / grid.path / "c").mkdir(parents=True)
            write_files(files, tops=[self.root])
            write_bytes(self.folder / DOCUMENT, json_bytes(group_document(attributes)))

    def restore(self, lost: Mapping[str, Any] | None) -> None:
        """Write again what is missing or damaged of a target that was begun, but no block.

        Args:
            lost: What the seal of its own document said, where that is lost: it is written again, unsealed. None: it
                is there.

        Raises:
            DiskError: It cannot be written.
        """
        with documents_lock(self.root):
            files, attributes = self.contents()
            if lost is not None:
                files = [*files, (self.folder / DOCUMENT, json_bytes(open_document(attributes, lost)))]
            wrong = [(path, data) for path, data in files if not path.is_file() or path.read_bytes() != data]
            if wrong:
                write_files(wrong, tops=[self.root])

    def contents(self) -> tuple[list[tuple[Path, bytes | memoryview]], dict[str, Any]]:
        """The files that are written before the target's own document, and the attributes of that one.

        Raises:
            NonFiniteError: The head holds NaN or infinity.
        """
        head_files, head_entry = self._head()
        weights_files, weights_entry = self._weights()
        files = [(self.root / grid.path / DOCUMENT, json_bytes(array_document(grid))) for grid in self.grids]
        return [*files, *head_files, *weights_files], self._attributes(head_entry, weights_entry)

    def _attributes(self, head: dict[str, Any] | None, weights: dict[str, Any]) -> dict[str, Any]:
        attributes = {
            "kind": self.kind,
            "fingerprint": fingerprint_digest(self.fingerprint),
            "fingerprint_fields": plain(self.fingerprint),
            "settings": plain(self.settings),
            "info": plain(self.info),
            "arrays": _arrays_json(self.arrays),
            "head": head,
            **weights,
        }
        open_ = {"sealed": False, "seal": None, "samples": samples_digest(self.root), "begun": begun_digest(attributes)}
        return {**attributes, **open_}

    def _head(self) -> tuple[list[tuple[Path, bytes | memoryview]], dict[str, Any] | None]:
        if self.head is None:
            return [], None
        weight, bias = check_head(self.head)
        grids = head_grids(self.name, (weight.shape[0], weight.shape[1]), bias=bias is not None)
        pairs = [(grids[0], weight)] if bias is None else [(grids[0], weight), (grids[1], bias)]
        files, digests = whole_files(self.root, pairs)
        files.append((self.folder / "head" / DOCUMENT, json_bytes(group_document({}))))
        shape = {"classes": weight.shape[0], "features": weight.shape[1], "bias": bias is not None}
        return files, {**shape, "chunks": digests}

    def _weights(self) -> tuple[list[tuple[Path, bytes | memoryview]], dict[str, Any]]:
        """The files of the weights, and the attribute that tells of them; targets without weights have no such one."""
        if self.weights is None:
            return [], {}
        if not self.weights:
            raise InputError("the weights of a target are empty", "Give the bytes of a safetensors file")
        grid = weights_grid(self.name, len(self.weights))
        files, digests = whole_files(self.root, [(grid, np.frombuffer(self.weights, np.uint8))])
        return files, {"weights": {"bytes": len(self.weights), "chunks": digests}}


def check_head(head: Head) -> Head:
    """The head as float32 (C, D) and (C,).

    Raises:
        InputError: Other shapes.
        NonFiniteError: NaN or infinity in it.
    """
    weight = np.ascontiguousarray(head[0], dtype="<f4")
    bias = None if head[1] is None else np.ascontiguousarray(head[1], dtype="<f4")
    if weight.ndim != 2 or (bias is not None and bias.shape != weight.shape[:1]):
        got = f"{weight.shape} and {None if bias is None else bias.shape}"
        raise InputError(f"expected a head of shapes (C, D) and (C,), got {got}")
    if not all(is_finite(array, "float32") for array in (weight, bias) if array is not None):
        raise NonFiniteError("the teacher's head has NaN or infinity", "Check the teacher's weights")
    return weight, bias


def _weights_json(digests: Mapping[str, str], grids: tuple[Grid, ...]) -> dict[str, Any]:
    return {grid.name: digests[grid.key(0)] for grid in grids}


def _arrays_json(arrays: Mapping[str, ArraySpec]) -> dict[str, Any]:
    return {name: {"shape": list(spec.shape), "dtype": spec.dtype} for name, spec in arrays.items()}

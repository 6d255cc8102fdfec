"""What a store knows of its targets: their attributes, their arrays, and how far they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from teachonce.cache.chunks import REPAIR, Chunks
from teachonce.cache.documents import (
    DOCUMENT,
    array_document,
    check_begun,
    check_sealed,
    group_document,
    read_document,
)
from teachonce.cache.dtypes import STORED
from teachonce.cache.journal import Journal
from teachonce.cache.layout import Grid, class_grids, head_grids, is_name, row_grid, view_grid, weights_grid
from teachonce.cache.spec import StoreSpec, is_names
from teachonce.errors import CorruptError, MismatchError, TeachonceError
from teachonce.types import ArraySpec, TargetSpec

_AXES = {"logits": "class"}
_OTHER = "It was made for another store: remove it, and embed again"


@dataclass(frozen=True, kw_only=True)
class TargetRecord:
    """A target as its attributes describe it."""

    root: Path
    """The store."""
    name: str
    kind: str
    """What made it, such as `classifier` or `encoder`."""
    sealed: bool
    fingerprint: str
    """xxh3-128 of the canonical JSON of `fingerprint_fields`, in hex."""
    fingerprint_fields: Mapping[str, Any]
    settings: Mapping[str, Any]
    """What a run that goes on has to have in common with the one that began: batch size, compute dtype."""
    attributes: Mapping[str, Any]
    """Everything else that was said about it, with `settings`, and once sealed `classes` and `per_class`."""
    arrays: Mapping[str, ArraySpec]
    """Name -> its shape (rows, views, length) and stored dtype."""
    head: Mapping[str, Any] | None
    """The linear head that is kept beside it: classes, features, bias, and the digests of its chunks."""
    weights: Mapping[str, Any] | None
    """The weights that are kept beside it: how many bytes, and the digest of their chunk."""
    seal: Mapping[str, Any]
    """What the seal says; empty before."""
    kept: Mapping[str, Any]
    """What a seal said that was taken off: the target is sealed again only over the same records; empty otherwise."""
    samples: str | None
    """The digest of the journal of the samples it belongs to; None: they are not sealed yet, or an earlier version
    began it, which cannot prove it."""
    block_rows: int

    @property
    def rule(self) -> dict[str, int | None] | None:
        """Of the class means, as it is or was sealed: `classes` and `per_class`; None before the first seal."""
        seal = self.seal or self.kept
        return {key: seal[key] for key in ("classes", "per_class")} if seal else None

    @property
    def command(self) -> str:
        """The command that makes such targets."""
        return "teachonce rdm" if self.kind == "rdm" else "teachonce embed"

    @property
    def grids(self) -> tuple[Grid, ...]:
        """The row-wise arrays, `status` first."""
        return target_grids(self.name, self.arrays, self.block_rows)

    @property
    def head_grids(self) -> tuple[Grid, ...]:
        """The arrays of the head: weight, and bias if it has one; none without a head."""
        if self.head is None:
            return ()
        return head_grids(self.name, (self.head["classes"], self.head["features"]), bias=self.head["bias"])

    @property
    def weights_grids(self) -> tuple[Grid, ...]:
        """The array of the weights' bytes; none without weights."""
        return () if self.weights is None else (weights_grid(self.name, self.weights["bytes"]),)

    @property
    def class_grids(self) -> tuple[Grid, ...]:
        """The arrays of the class means, mean and count; none without labels or embeddings, or before the seal."""
        length = self._length("image_embedding")
        if self.seal.get("classes") is None or length is None:
            return ()
        return class_grids(self.name, self.seal["classes"], length)

    @property
    def whole_grids(self) -> tuple[Grid, ...]:
        """The arrays that are not cut by rows: head, weights and class means."""
        return (*self.head_grids, *self.weights_grids, *self.class_grids)

    @property
    def digests(self) -> dict[str, str]:
        """The digests of the chunks that no record of the journal covers: of the head, the weights, the class means."""
        parts = (self.head or {}, self.weights or {}, self.seal)
        return {key: digest for part in parts for key, digest in part.get("chunks", {}).items()}

    @property
    def documents(self) -> dict[str, dict[str, Any] | None]:
        """The documents of the target by node; None for its own, which its seal covers."""
        grids = (*self.grids, *self.whole_grids)
        groups = [f"targets/{self.name}/head"] if self.head_grids else []
        groups += [f"classes/{self.name}"] if self.class_grids else []
        nodes = {grid.path: array_document(grid) for grid in grids} | {node: group_document({}) for node in groups}
        return {f"targets/{self.name}": None, **nodes}

    @property
    def journal(self) -> Journal:
        """The journal of the target."""
        return Journal(root=self.root, name=self.name, grids=self.grids)

    @cached_property
    def chunks(self) -> Chunks:
        """The chunk files of a sealed target, to be read.

        Raises:
            CorruptError: The records of its journal are not those that were sealed.
        """
        chunks = self.journal.chunks(self.seal)
        return Chunks(self.root, {**chunks.digests, **self.digests})

    @property
    def blocks(self) -> int:
        """How many blocks there have to be."""
        return self.grids[0].blocks

    @cached_property
    def _progress(self) -> tuple[int, int]:
        if self.sealed:
            return int(self.seal["blocks"]), int(self.seal["failed"])
        present = self.journal.present()
        return len(present), sum(len(record.failed) for record in present.values())

    @property
    def blocks_done(self) -> int:
        """How many blocks had a valid record when this was first asked."""
        return self._progress[0]

    @property
    def failed(self) -> int:
        """How many rows of those blocks failed."""
        return self._progress[1]

    @property
    def spec(self) -> TargetSpec:
        """What the target offers to a method."""
        shape = next(iter(self.arrays.values())).shape
        names = self.attributes.get("class_names")
        return TargetSpec(
            name=self.name,
            rows=shape[0],
            views=shape[1],
            class_names=tuple(names) if names else None,
            arrays=self.arrays,
        )

    def _length(self, array: str) -> int | None:
        return self.arrays[array].shape[-1] if array in self.arrays else None


def target_names(root: Path) -> list[str]:
    """The targets that were begun, by name."""
    folder = root / "targets"
    return sorted(path.parent.name for path in folder.glob(f"*/{DOCUMENT}")) if folder.is_dir() else []


def target_grids(name: str, arrays: Mapping[str, ArraySpec], block_rows: int) -> tuple[Grid, ...]:
    """The row-wise arrays of a target, `status` first."""
    rows = next(iter(arrays.values())).shape[0]
    status = row_grid(f"targets/{name}/status", rows, block_rows, "uint8")
    return (status, *(_grid(f"targets/{name}", array, spec, block_rows) for array, spec in sorted(arrays.items())))


def full_arrays(arrays: Mapping[str, ArraySpec], spec: StoreSpec) -> dict[str, ArraySpec]:
    """Arrays of one row of one view, (length,), in the shape that they have in a store: (rows, views, length)."""
    return {key: ArraySpec(shape=(spec.rows, spec.views, *one.shape), dtype=one.dtype) for key, one in arrays.items()}


def _grid(place: str, array: str, spec: ArraySpec, block_rows: int) -> Grid:
    rows, views, length = spec.shape
    return view_grid(f"{place}/{array}", (rows, views, length), block_rows, spec.dtype, _AXES.get(array, "feature"))


def read_target(root: Path, name: str, *, rows: int, block_rows: int, samples: str | None) -> TargetRecord:
    """Read a target's attributes; its arrays' documents are not looked at.

    Args:
        root: The store.
        name: The target.
        rows: Of the store.
        block_rows: Of the store.
        samples: The digest of the samples' journal; None before they are sealed.

    Raises:
        StoreMissingError: There is no such target.
        CorruptError: Its attributes contradict the format, or are not what was sealed.
        MismatchError: It is a target of other samples or views.
    """
    document = read_document(root / "targets" / name, "group")
    value = document["attributes"]
    try:
        record = _record(root, name, value, rows, block_rows)
        if record.sealed:
            check_sealed(root / "targets" / name, document, expected=record.samples is not None)
        else:
            check_begun(root / "targets" / name, value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, TeachonceError):
            raise
        place = root / "targets" / name / DOCUMENT
        raise CorruptError(f"{place}: the attributes are not those of a target ({error!r})", REPAIR) from error
    early = "samples" not in value  # nothing proves what an earlier version made
    if samples is not None and not (early or record.samples == samples):
        raise MismatchError(
            f"target {name!r} of {root} is of other samples: expected {samples}, got {record.samples}", _OTHER
        )
    return record


def _record(root: Path, name: str, value: Mapping[str, Any], rows: int, block_rows: int) -> TargetRecord:
    sealed, kept = value["sealed"] is True, dict(value["seal"] or {})
    seal, kept = (kept, {}) if sealed else ({}, kept)
    rule = {key: seal[key] for key in ("classes", "per_class")} if sealed else {}
    record = TargetRecord(
        root=root,
        name=name,
        kind=str(value["kind"]),
        sealed=sealed,
        fingerprint=str(value["fingerprint"]),
        fingerprint_fields=dict(value["fingerprint_fields"]),
        settings=dict(value["settings"]),
        attributes={**value["info"], **value["settings"], **rule},
        arrays={key: _spec(entry, rows) for key, entry in value["arrays"].items()},
        head=value["head"],
        weights=value.get("weights"),
        seal=seal,
        kept=kept,
        samples=None if (samples := value.get("samples")) is None else str(samples),
        block_rows=block_rows,
    )
    _check(record)
    return record


def _check(record: TargetRecord) -> None:
    """Refuse attributes that the format rules out.

    Raises:
        ValueError: Says which; KeyError or TypeError where something is missing or of another type.
    """
    if not record.arrays or any(not is_name(name) for name in record.arrays):
        raise ValueError(f"arrays called {sorted(record.arrays)}")
    if not is_names(record.attributes.get("class_names")):
        raise ValueError("class names that are not strings")
    if seal := record.seal or record.kept:
        _ = seal["classes"], seal["per_class"]
        got = seal["rows"], seal["blocks"], type(seal["failed"]), type(seal["journal"])
        if got != (record.grids[0].shape[0], record.blocks, int, str):
            raise ValueError(f"a seal of {seal['rows']} rows and {seal['blocks']} blocks")
    if any(type(n) is not int or n < 1 for grid in record.whole_grids for n in grid.shape):
        raise ValueError("a head, weights or class means of no size")
    chunks = {grid.key(0) for grid in record.whole_grids}
    if set(record.digests) == chunks:
        return
    parts = [key.split("/", 2) for key in record.digests if key.count("/") > 1]  # GROUP/NAME/REST
    if parts and is_name(parts[0][1]) and chunks == {f"{group}/{record.name}/{rest}" for group, _, rest in parts}:
        name = parts[0][1]
        told = f"targets/{record.name} of {record.root} is a copy of the target {name!r}"
        raise MismatchError(told, f"Remove the folder, or rename it targets/{name} if that one is missing")
    raise ValueError("digests of other chunks than those of the head, the weights and the class means")


def _spec(value: Mapping[str, Any], rows: int) -> ArraySpec:
    shape, dtype = tuple(int(n) for n in value["shape"]), str(value["dtype"])
    if len(shape) != 3 or shape[0] != rows or min(shape) < 1 or dtype not in STORED:
        raise ValueError(f"an array of shape {list(shape)} and dtype {dtype} in a store of {rows} rows")
    return ArraySpec(shape=shape, dtype=dtype)

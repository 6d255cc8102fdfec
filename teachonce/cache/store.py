"""A store: creating it, opening it, and what it says about its samples."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.chunks import REPAIR, Chunks
from teachonce.cache.create import create
from teachonce.cache.documents import DOCUMENT, check_array, check_sealed, document_bytes, read_document
from teachonce.cache.identity import chunk_digest, first_difference, short
from teachonce.cache.journal import Journal
from teachonce.cache.layout import FORMAT, KIND, SAMPLES, Grid, sample_grids
from teachonce.cache.reader import Check, TargetReader
from teachonce.cache.seal import class_rule, compute_means
from teachonce.cache.spec import StoreSpec, read_spec, wrong_field
from teachonce.cache.targets import TargetRecord, read_target, target_names
from teachonce.cache.verify import read_weights
from teachonce.errors import CorruptError, InputError, MismatchError, StoreMissingError, UnsealedError
from teachonce.types import PerClass

__all__ = ["Store", "StoreSpec", "create_or_open", "open_store"]


class Store:
    """A store on disk. Nothing is kept open: every method reads what is there now."""

    def __init__(self, path: Path, spec: StoreSpec) -> None:
        self.path, self.spec = path, spec

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r}, rows={self.spec.rows}, views={self.spec.views})"

    @property
    def blocks(self) -> int:
        """How many blocks of rows there are."""
        return -(-self.spec.rows // self.spec.block_rows)

    def block_range(self, block: int) -> tuple[int, int]:
        """The first row of a block, and the row after its last."""
        start = block * self.spec.block_rows
        return start, min(start + self.spec.block_rows, self.spec.rows)

    @property
    def journal(self) -> Journal:
        """The journal of the samples and views."""
        grids = sample_grids(self.spec.rows, self.spec.views, self.spec.block_rows)
        return Journal(root=self.path, name=SAMPLES, grids=grids)

    @property
    def samples_seal(self) -> dict[str, Any]:
        """What the seal of the samples says; empty before.

        Raises:
            CorruptError: It, or the store's own document, is not what was sealed.
        """
        folder = self.path / SAMPLES
        document = read_document(folder, "group")
        seal, sealed = document["attributes"].get("seal"), document["attributes"].get("sealed")
        if sealed is False and set(document["attributes"]) == {"sealed", "seal"} and isinstance(seal, dict | None):
            return {}
        if sealed is not True or not isinstance(seal, dict) or not isinstance(seal.get("journal"), str):
            raise CorruptError(f"{folder / DOCUMENT} is not a document of samples", REPAIR)
        if check_sealed(folder, document, expected="root" in seal):
            got = chunk_digest(document_bytes(self.path))
            if got != seal["root"]:
                expected = short(seal["root"])
                raise CorruptError(f"{self.path / DOCUMENT}: expected digest {expected}, got {got}", REPAIR)
        return seal

    @property
    def samples_sealed(self) -> bool:
        """Whether the samples and their views are complete."""
        return bool(self.samples_seal)

    def labels(self) -> NDArray[np.int32]:
        """The labels, int32 (rows,), -1 where there is none."""
        return self._samples("label")

    def digests(self) -> NDArray[np.uint64]:
        """The identity of each row, uint64 (rows,)."""
        return self._samples("digest")

    def sample_status(self) -> NDArray[np.uint8]:
        """1 where a row was decoded, 2 where it failed; uint8 (rows,)."""
        return self._samples("status")

    def view_params(self) -> NDArray[np.float32]:
        """The views, float32 (rows, views, 6): y0, x0, y1, x1, flip, quarter turns; NaN in failed rows."""
        return self._samples("params")

    def _samples(self, name: str) -> NDArray[Any]:
        return self._whole(self.chunks, self.journal.named[name])

    @property
    def chunks(self) -> Chunks:
        """The chunk files of the sealed samples and views, to be read.

        Raises:
            UnsealedError: They are not sealed.
            CorruptError: The records of their journal are not those that were sealed.
        """
        return self.journal.chunks(self._require_samples())

    def _require_samples(self) -> dict[str, Any]:
        if seal := self.samples_seal:
            return seal
        done = len(self.journal.present())
        raise UnsealedError(
            f"the samples of {self.path} are not sealed: {done} of {self.blocks} blocks are done",
            "Run the same `teachonce embed` command again: it resumes where it stopped",
        )

    def _whole(self, chunks: Chunks, grid: Grid) -> NDArray[Any]:
        check_array(self.path, grid)
        return chunks.whole(grid)

    def verify(self) -> list[str]:
        """Check every byte of the samples and of all sealed targets against their digests.

        Returns:
            The names of the targets that were checked.

        Raises:
            UnsealedError: The samples are not sealed.
            CorruptError: Names the first chunk, record or document that is not what was sealed.
            MismatchError: A target is of other samples.
        """
        from teachonce.cache.audit import find_problems  # it opens stores

        self._require_samples()
        for problem in find_problems(self.path, zeros=False):
            if problem.kind != "unsealed":
                raise problem.error
        return [name for name, record in self.targets().items() if record.sealed]

    def targets(self) -> dict[str, TargetRecord]:
        """Every target that was begun, by name."""
        return {name: self.record(name) for name in target_names(self.path)}

    def record(self, name: str, *, arrays: bool = True) -> TargetRecord:
        """What is known of one target.

        Args:
            name: The target.
            arrays: Whether to compare the documents of its arrays, too.

        Raises:
            StoreMissingError: There is no such target.
            CorruptError: Its documents contradict the format, or are not what was sealed.
            MismatchError: It is a target of other samples.
        """
        if name not in (names := target_names(self.path)):
            there = f"it has {', '.join(names)}" if names else "it has none"
            mend = f"make it with `teachonce {'rdm' if name.startswith('rdm-') else 'embed'}`"
            mend = f"Choose one of them, or {mend}" if names else mend.capitalize()
            raise StoreMissingError(f"{self.path} has no target {name!r}: {there}", mend)
        spec, samples = self.spec, self.samples_seal.get("journal")
        record = read_target(self.path, name, rows=spec.rows, block_rows=spec.block_rows, samples=samples)
        for grid in record.grids if arrays else ():
            check_array(self.path, grid)
        return record

    def target(self, name: str, *, budget_bytes: int | None = None, check: Check = "first-touch") -> TargetReader:
        """Open a sealed target for reading.

        Args:
            name: The target.
            budget_bytes: Up to this size its arrays are held in memory; None: 256 MiB.
            check: When mapped chunks are compared with their digests; see `TargetReader`.

        Raises:
            StoreMissingError: There is no such target.
            UnsealedError: It is not complete; says how far.
        """
        return TargetReader(self.sealed(name), budget_bytes=budget_bytes, check=check)

    def sealed(self, name: str) -> TargetRecord:
        """The record of a sealed target.

        Raises:
            StoreMissingError: There is no such target.
            UnsealedError: It is not complete; says how far.
        """
        record = self.record(name)
        self._require_samples()
        if not record.sealed:
            done = f"{record.blocks_done} of {record.blocks} blocks are done"
            raise UnsealedError(
                f"target {name!r} of {self.path} is not sealed: {done}, {record.failed} samples failed",
                f"Run the same `{record.command}` command again: it resumes where it stopped"
                + (f"; with --max-failed {record.failed} it seals" if record.failed else ""),
            )
        return record

    def class_means(
        self, name: str, per_class: PerClass | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The class means of a sealed target: float32 (classes, D), NaN where a class has no row; int64 (classes,).

        Args:
            name: The target.
            per_class: Compute them over the first so many rows of each class, or all, as a seal would; None: as sealed.

        Raises:
            InputError: `per_class` is below 1.
            CorruptError: A chunk that is read is damaged.
            StoreMissingError: The data has no labels, or the target no embeddings.
        """
        record = self.sealed(name)
        if not record.class_grids:
            raise StoreMissingError(
                f"target {name!r} of {self.path} has no class means",
                "They need labels and embeddings: run `teachonce embed` on data with labels",
            )
        if per_class is not None:
            most = None if per_class == "all" else per_class
            rule = class_rule(self.labels(), int(record.seal["classes"]), most, self.spec.rows)
            means = compute_means(record.chunks, record.grids, rule)
            assert means is not None, "a target with class means has labels and embeddings"
            return means
        mean, count = (self._whole(record.chunks, grid) for grid in record.class_grids)
        return mean, count

    def head(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32] | None] | None:
        """The teacher's linear head, float32 weight (C, D) and bias (C,), where the target keeps it."""
        record = self.sealed(name)
        arrays = [self._whole(record.chunks, grid) for grid in record.head_grids]
        return (arrays[0], arrays[1] if len(arrays) > 1 else None) if arrays else None

    def weights(self, name: str) -> bytes | None:
        """The weights that a sealed target keeps: the bytes of a safetensors file, which are what was written.

        Raises:
            StoreMissingError: There is no such target.
            UnsealedError: It is not complete.
            CorruptError: The bytes are damaged.
        """
        return read_weights(self.sealed(name))


def open_store(path: str | Path) -> Store:
    """Open a store.

    Raises:
        StoreMissingError: Nothing is there, or no store.
        MismatchError: It is of another format.
        CorruptError: Its documents contradict the format.
    """
    store = read_store(Path(path))
    _ = store.samples_seal  # of which the root's own attributes are a part
    for grid in store.journal.grids:
        check_array(store.path, grid)
    return store


def read_store(path: Path) -> Store:
    """A store by its root's attributes alone.

    Raises:
        StoreMissingError: Nothing is there, or no store.
        MismatchError: It is of another format.
        CorruptError: The attributes contradict the format.
    """
    mend = "Check the path, or make the store with `teachonce embed`"
    if not path.exists():
        raise StoreMissingError(f"there is no store at {path}", mend)
    if not (path / DOCUMENT).exists():
        raise StoreMissingError(f"{path} is not a store: it has no {DOCUMENT}", mend)
    attributes = read_document(path, "group")["attributes"]
    if attributes.get("kind") != KIND:
        raise StoreMissingError(f"{path} is a Zarr group, but not a store of teachonce", mend)
    if attributes.get("format") != FORMAT:
        got = short(attributes.get("format"))
        raise MismatchError(f"{path}: expected format {FORMAT}, got {got}", "Update teachonce to read this store")
    if not (path / "journal").is_dir():
        raise CorruptError(f"{path} has no journal", REPAIR)
    return Store(path, read_spec(path, attributes))


def create_or_open(path: str | Path, spec: StoreSpec) -> Store:
    """Open the store of exactly this spec, or create it.

    Raises:
        InputError: The spec is no store's (no rows, a block length that is no power of two).
        MismatchError: A store of another spec is there; names the first field that differs.
        StoreError: The folder holds something else.
        DiskError: It cannot be written.
    """
    path = Path(path)
    if wrong := wrong_field(spec):
        raise InputError(f"a store cannot have {wrong} {short(getattr(spec, wrong))}", "Give a positive number")
    if not (path / DOCUMENT).exists():
        create(path, spec)
    store = open_store(path)
    _compare(store, spec)
    return store


def _compare(store: Store, spec: StoreSpec) -> None:
    for field in StoreSpec.__dataclass_fields__:
        found = first_difference(store.spec.to_json()[field], spec.to_json()[field], field)
        if found:
            name, expected, got = found
            raise MismatchError(
                f"{store.path} was made with another {name}: expected {short(expected)}, got {short(got)}",
                "Use the same data and views as before, or another --store",
            )

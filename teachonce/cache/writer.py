"""Writing samples and targets, block by block."""

import shutil
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.blocks import BlockWriter
from teachonce.cache.documents import DOCUMENT, array_document, group_document
from teachonce.cache.dtypes import is_finite, stored
from teachonce.cache.identity import chunk_digest, fingerprint_digest, first_difference, plain, short
from teachonce.cache.journal import Journal
from teachonce.cache.layout import SAMPLES, check_name, head_grids
from teachonce.cache.locks import documents_lock
from teachonce.cache.seal import (
    class_rule,
    refuse_failed,
    seal_records,
    write_class_means,
    write_seal,
    write_whole,
)
from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord, target_grids
from teachonce.errors import InputError, MismatchError, NonFiniteError, StoreError, UnsealedError
from teachonce.fsio import json_bytes, remove_temporaries, write_bytes
from teachonce.types import DECODED, FAILED, ArraySpec

Head = tuple[NDArray[np.float32], NDArray[np.float32] | None]


class _Writer:
    """What both writers share: blocks while unsealed, nothing once sealed."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._blocks: BlockWriter | None = None

    @property
    def sealed(self) -> bool:
        """Whether everything is complete already, so that there is nothing to commit."""
        return self._blocks is None

    def done(self) -> set[int]:
        """The committed blocks of this writer's range: a valid record, and every chunk file in its full size."""
        return set(range(self.journal.blocks)) if self._blocks is None else self._blocks.done()

    def failed(self) -> dict[int, str]:
        """Row -> reason code, over all committed blocks of the store."""
        return {row: code for record in self.journal.present().values() for row, code in record.failed}

    def _commit(
        self, block: int, arrays: Mapping[str, NDArray[Any]], failed: Mapping[int, str], blanked: frozenset[str]
    ) -> None:
        if self._blocks is None:
            raise StoreError(f"{self.journal.name} of {self.journal.root} is sealed, it cannot change")
        _check_status(self.journal, block, arrays["status"], failed)
        self._blocks.commit(block, arrays, failed, blanked)

    def close(self) -> None:
        """Give the blocks back to other writers."""
        if self._blocks is not None:
            self._blocks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_status(journal: Journal, block: int, status: NDArray[np.uint8], failed: Mapping[int, str]) -> None:
    rows = journal.grids[0].rows(block)
    marked = {int(row) + rows.start for row in np.flatnonzero(status == FAILED)}
    if marked != set(failed) or not np.isin(status, (DECODED, FAILED)).all():
        raise InputError(f"block {block}: status must be 1, and 2 in exactly the failed rows {sorted(failed)}")


class SamplesWriter(_Writer):
    """Writes the samples and their views, once."""

    def __init__(self, store: Store, blocks: range | None = None) -> None:
        """Take the blocks of a range (all by default).

        Raises:
            BusyError: Another writer has some of them.
        """
        super().__init__(store.journal)
        self._folder = store.path / SAMPLES
        if not store.samples_sealed:
            self._blocks = BlockWriter(self.journal, blocks)

    def commit(
        self,
        block: int,
        digest: NDArray[np.uint64],
        label: NDArray[np.int32],
        status: NDArray[np.uint8],
        params: NDArray[np.float32],
        failed: Mapping[int, str],
    ) -> None:
        """Write a block.

        Args:
            block: Which.
            digest: uint64 (rows,).
            label: int32 (rows,), -1 where there is none.
            status: uint8 (rows,): 1, or 2 in exactly the failed rows.
            params: float32 (rows, views, 6); failed rows become NaN.
            failed: Row of the store -> reason code.

        Raises:
            InputError: Arrays that are not the block's.
            DiskError: Nothing of the block counts.
        """
        arrays = {"digest": digest, "label": label, "status": status, "params": params}
        self._commit(block, arrays, failed, frozenset({"params"}))

    def seal(self) -> None:
        """Seal samples and views; from now on they never change.

        Raises:
            UnsealedError: Blocks are missing.
        """
        if self._blocks is None:
            return
        with documents_lock(self.journal.root):
            _, seal = seal_records(self.journal)
            for left in (self._folder, self.journal.root / "views"):
                _remove_document_temporaries(left)
            write_seal(self._folder, {"rows": self.journal.grids[0].shape[0], **seal})


class TargetWriter(_Writer):
    """Writes one target: begins or goes on, commits, seals."""

    def __init__(  # noqa: PLR0913 - one target is all of this
        self,
        store: Store,
        name: str,
        *,
        kind: str,
        fingerprint: Mapping[str, Any],
        settings: Mapping[str, Any],
        info: Mapping[str, Any],
        arrays: Mapping[str, ArraySpec],
        head: Head | None = None,
        blocks: range | None = None,
    ) -> None:
        """Begin a target, or go on with one that was begun in the same way.

        Args:
            store: Where.
            name: The target.
            kind: What makes it, such as `classifier` or `encoder`.
            fingerprint: What the values depend on, as nested JSON.
            settings: What a run that goes on must share although the values should not depend on it: batch size...
            info: What is only recorded: versions, class names. The first run's stays.
            arrays: Name -> shape (length,) of one row of one view, and stored dtype.
            head: The teacher's linear head, float32 (C, D) and (C,), where logits = W e + b.
            blocks: The range this writer owns; None: all.

        Raises:
            MismatchError: The target was begun from other things; names the first field that differs.
            BusyError: Another writer has some of the blocks.
        """
        self.store, self.name = store, check_name(name)
        self._arrays = {key: self._full(spec) for key, spec in arrays.items()}
        grids = target_grids(name, self._arrays, store.spec.block_rows)
        super().__init__(Journal(root=store.path, name=name, grids=grids))
        self._begin = self._attributes(kind, fingerprint, settings, info, head)
        record = self._existing()
        if record is not None and record.sealed:
            return
        self._blocks = BlockWriter(self.journal, blocks)
        try:
            self._begin_or_go_on(head)
        except BaseException:
            self.close()
            raise

    @property
    def _folder(self) -> Any:
        return self.store.path / "targets" / self.name

    def _full(self, spec: ArraySpec) -> ArraySpec:
        stored(spec.dtype)
        return ArraySpec(shape=(self.store.spec.rows, self.store.spec.views, *spec.shape), dtype=spec.dtype)

    def _attributes(
        self,
        kind: str,
        fingerprint: Mapping[str, Any],
        settings: Mapping[str, Any],
        info: Mapping[str, Any],
        head: Head | None,
    ) -> dict[str, Any]:
        arrays = {key: {"shape": list(spec.shape), "dtype": spec.dtype} for key, spec in self._arrays.items()}
        return {
            "sealed": False,
            "kind": kind,
            "fingerprint": fingerprint_digest(fingerprint),
            "fingerprint_fields": plain(fingerprint),
            "settings": plain(settings),
            "info": plain(info),
            "arrays": arrays,
            "head": None if head is None else self._head_entry(head),
        }

    def _head_entry(self, head: Head) -> dict[str, Any]:
        weight, bias = head
        return {"classes": weight.shape[0], "features": weight.shape[1], "bias": bias is not None}

    def _existing(self) -> TargetRecord | None:
        """The record of this target, if it was begun, after comparing it with what is asked for."""
        if not (self._folder / DOCUMENT).exists():
            return None
        record = self.store.record(self.name)
        arrays = {key: {"shape": list(spec.shape), "dtype": spec.dtype} for key, spec in record.arrays.items()}
        pairs = (
            ("kind", record.kind, self._begin["kind"]),
            ("", record.fingerprint_fields, self._begin["fingerprint_fields"]),
            ("array", arrays, self._begin["arrays"]),
            ("", record.settings, self._begin["settings"]),
        )
        for prefix, stored_value, given in pairs:
            found = first_difference(stored_value, given, prefix)
            if found:
                name, expected, got = found
                raise MismatchError(
                    f"target {self.name!r} of {self.store.path} was made with another {name}: "
                    f"expected {short(expected)}, got {short(got)}",
                    "Use the same as before, another --name, or another --store",
                )
        return record

    def _begin_or_go_on(self, head: Head | None) -> None:
        with documents_lock(self.store.path):
            if self._existing() is not None:
                _remove_document_temporaries(self._folder)
                return
            for folder in (self._folder, self.store.path / "classes" / self.name):
                shutil.rmtree(folder, ignore_errors=True)
            for grid in self.journal.grids:
                write_bytes(self.store.path / grid.path / DOCUMENT, json_bytes(array_document(grid)))
            attributes = {**self._begin}
            if head is not None:
                attributes["head"] = {**attributes["head"], "chunks": self._write_head(head)}
            write_bytes(self._folder / DOCUMENT, json_bytes(group_document(attributes)))

    def _write_head(self, head: Head) -> dict[str, str]:
        arrays = [array for array in head if array is not None]
        if not all(is_finite(np.ascontiguousarray(array, dtype="<f4"), "float32") for array in arrays):
            raise NonFiniteError("the teacher's head holds NaN or infinity", "Check the teacher's weights")
        write_bytes(self._folder / "head" / DOCUMENT, json_bytes(group_document({})))
        weight, bias = head
        grids = head_grids(self.name, (weight.shape[0], weight.shape[1]), bias=bias is not None)
        return write_whole(self.store.path, list(zip(grids, arrays, strict=True)))

    def commit(
        self, block: int, arrays: Mapping[str, NDArray[Any]], status: NDArray[np.uint8], failed: Mapping[int, str]
    ) -> None:
        """Write a block.

        Args:
            block: Which.
            arrays: Every array, (rows, views, length), in its stored dtype (see `to_stored`).
            status: uint8 (rows,): 1, or 2 in exactly the failed rows.
            failed: Row of the store -> reason code; their values become the fill value.

        Raises:
            InputError: Arrays that are not the block's.
            NonFiniteError: NaN or infinity in a row that did not fail.
            DiskError: Nothing of the block counts.
        """
        self._commit(block, {**arrays, "status": status}, failed, frozenset(arrays))

    def seal(
        self, *, labels: NDArray[np.int32] | None, classes: int | None, per_class: int | None, max_failed: int
    ) -> None:
        """Compute the class means, and seal. A sealed target only gets new means, where the rule is another.

        Args:
            labels: int32 (rows,), -1 where there is none; None: no class means.
            classes: How many; None: the largest label + 1.
            per_class: The means are over the first so many rows of each class; None: all.
            max_failed: How many failed rows are allowed.

        Raises:
            UnsealedError: Blocks are missing, or the samples are not sealed.
            FailedSamplesError: More rows failed than allowed; nothing is lost.
        """
        rule = class_rule(labels, classes, per_class, self.store.spec.rows)
        wanted = (rule.classes, rule.per_class) if rule else (None, None)
        with documents_lock(self.store.path):
            record = self.store.record(self.name)
            if record.sealed and (record.seal["classes"], record.seal["per_class"]) == wanted:
                return
            if not self.store.samples_sealed:
                raise UnsealedError(f"the samples of {self.store.path} are not sealed", "Seal them first")
            records, seal = seal_records(self.journal)
            refuse_failed(records, max_failed)
            if record.sealed:
                write_seal(self._folder, None)
            seal |= {"rows": self.store.spec.rows, "classes": wanted[0], "per_class": wanted[1]}
            seal["chunks"] = write_class_means(self.store.path, self.name, self.journal.grids, rule)
            _remove_document_temporaries(self._folder)
            write_seal(self._folder, seal)


def _remove_document_temporaries(folder: Any) -> None:
    remove_temporaries(folder)

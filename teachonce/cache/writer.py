"""Writing a target, block by block."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.begin import Beginning, Head
from teachonce.cache.chunks import REPAIR
from teachonce.cache.documents import DOCUMENT
from teachonce.cache.dtypes import stored
from teachonce.cache.journal import Journal
from teachonce.cache.layout import check_name, is_name
from teachonce.cache.locks import documents_lock
from teachonce.cache.repair import RepairRule, repair_target
from teachonce.cache.samples import SamplesWriter, Writer
from teachonce.cache.seal import (
    ClassRule,
    class_rule,
    compute_means,
    refuse_failed,
    seal_records,
    seal_target,
    unseal_target,
    write_class_means,
)
from teachonce.cache.store import Store
from teachonce.cache.targets import TargetRecord, full_arrays
from teachonce.cache.verify import check_parts
from teachonce.errors import CorruptError, InputError, MismatchError, UnsealedError
from teachonce.events import SILENT, Events
from teachonce.types import ArraySpec

__all__ = ["SamplesWriter", "TargetWriter"]

_OWN = ("status", "head", "weights")  # nodes of a target that are no arrays of the teacher


class TargetWriter(Writer):
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
        weights: bytes | None = None,
        blocks: range | None = None,
        repair: RepairRule | None = None,
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
            weights: A safetensors file with the weights of what makes the target, kept with it.
            blocks: The range this writer owns; None: all.
            repair: Mend what is damaged first: documents are written again, bad blocks dropped, the seal taken off.

        Raises:
            MismatchError: The target was begun from other things; names the first field that differs.
            BusyError: Another writer has some of the blocks.
            DiskError: It cannot be begun.
        """
        self.store, self.name = store, check_name(name)
        self._beginning = Beginning(
            root=store.path,
            name=name,
            kind=kind,
            fingerprint=fingerprint,
            settings=settings,
            info=info,
            arrays=_full_shapes(store, arrays),
            head=head,
            weights=weights,
            block_rows=store.spec.block_rows,
        )
        journal = Journal(root=store.path, name=name, grids=self._beginning.grids)
        if repair is not None:
            repair_target(store, self._beginning, repair)
        super().__init__(journal, blocks, sealed=self._compare())
        if self.sealed:
            return
        try:
            self._beginning.write()
            self._compare()  # another process may have begun it meanwhile
        except BaseException:
            self.close()
            raise

    def _compare(self) -> bool:
        """Compare with the target that is there, if there is one; whether it is sealed."""
        if not (self._beginning.folder / DOCUMENT).exists():
            self._refuse_orphans()
            return False
        record = self.store.record(self.name)
        self._beginning.compare(record)
        return record.sealed

    def _refuse_orphans(self) -> None:
        """Refuse to begin over committed blocks whose attributes were lost."""
        journal = Journal(root=self.store.path, name=self.name, grids=self._beginning.grids)
        if journal.present():
            raise CorruptError(
                f"{self._beginning.folder / DOCUMENT} is missing, but the target has blocks",
                f"Restore it from a copy, or remove {self._beginning.folder} to make the target again",
            )

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
        self,
        *,
        labels: NDArray[np.int32] | None,
        classes: int | None,
        per_class: int | None,
        max_failed: int,
        events: Events = SILENT,
    ) -> None:
        """Compute the class means, and seal. A sealed target only gets new means, where the rule is another.

        Where it was sealed before, it is sealed only over the same records.

        Args:
            labels: int32 (rows,), -1 where there is none; None: no class means.
            classes: How many; None: the largest label + 1.
            per_class: The means are over the first so many rows of each class; None: all.
            max_failed: How many failed rows are allowed.
            events: Who watches.

        Raises:
            CorruptError: A chunk is not what was committed, or records are not those that were sealed.
            MismatchError: Blocks that were made again are not those that were sealed.
            UnsealedError: Blocks are missing, or the samples are not sealed.
            FailedSamplesError: More rows failed than allowed; nothing is lost.
            DiskError: It is not sealed.
        """
        rule = class_rule(labels, classes, per_class, self.store.spec.rows)
        wanted = {"classes": rule.classes if rule else None, "per_class": rule.per_class if rule else None}
        if not self._is_sealed_by(wanted):
            with documents_lock(self.store.path):
                if not self._is_sealed_by(wanted):  # another process may just have done it
                    self._seal(rule, wanted, max_failed, events)
        self.sealed = True

    def _is_sealed_by(self, wanted: Mapping[str, int | None]) -> bool:
        record = self.store.record(self.name)
        return record.sealed and wanted == {key: record.seal[key] for key in wanted}

    def _seal(self, rule: ClassRule | None, wanted: Mapping[str, int | None], max_failed: int, events: Events) -> None:
        if not self.store.samples_sealed:
            raise UnsealedError(f"the samples of {self.store.path} are not sealed", "Seal them first")
        records, seal = seal_records(self.journal)
        record, folder = self.store.record(self.name), self._beginning.folder
        self._refuse_changed(record, seal)
        refuse_failed(records, max_failed)
        if not self.sealed:
            self._check_earlier(records, events)
        means = compute_means(self.journal.chunks_of(records), self.journal.grids, rule)
        check_parts(record)
        if record.sealed:
            unseal_target(folder)
        digests = write_class_means(self.store.path, self.name, means)
        seal_target(folder, {**seal, **wanted, "chunks": digests}, self.store.samples_seal["journal"])

    def _refuse_changed(self, record: TargetRecord, seal: Mapping[str, Any]) -> None:
        """Refuse records that are not those of the seal that there is or was."""
        before = (record.seal or record.kept).get("journal", seal["journal"])
        if before == seal["journal"]:
            return
        journal, told = self.journal.name, f"expected a journal of digest {before}, got {seal['journal']}"
        if record.sealed:
            raise CorruptError(f"the records of {journal} are not those that were sealed: {told}", REPAIR)
        raise MismatchError(
            f"the blocks of {journal} are not those that were sealed: {told}",
            "Run the same command with --repair on the same type of machine and with the versions that made it; "
            f"or remove targets/{journal}, journal/{journal} and classes/{journal} to make the target again",
        )


def _full_shapes(store: Store, arrays: Mapping[str, ArraySpec]) -> dict[str, ArraySpec]:
    for name, spec in arrays.items():
        sound = is_name(name) and name not in _OWN and len(spec.shape) == 1 and spec.shape[0] > 0
        if not sound or stored(spec.dtype).infinity is None:
            raise InputError(f"no array {name} {spec}: expected shape (length,) and float16, bfloat16 or float32")
    if not arrays:
        raise InputError("a target needs at least one array")
    return full_arrays(arrays, store.spec)

"""Targets from a sealed store. The teacher's weights are never touched."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from teachonce.cache.mark import verified_at
from teachonce.cache.reader import Check
from teachonce.cache.store import Store
from teachonce.data.transfer import Transfer
from teachonce.engine.readahead import ReadAhead, Rows
from teachonce.engine.recheck import BackgroundCheck
from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.errors import StoreMissingError
from teachonce.methods.base import missing
from teachonce.methods.targets import Needs, Targets
from teachonce.types import DECODED, ArraySpec, TargetSpec

Head = tuple[Tensor, Tensor | None]
EAGER = 4 << 30
"""Bytes that are checked before the first step, so that a run on damaged ones is refused before it is begun."""


class CachedTargets(TargetSource):
    """Reads what a method needs, and nothing else, from a store.

    Arrays that fit the budget stay on the device, and a batch is one `index_select` each; larger ones are read from the
    mapped chunks by a thread that runs ahead, through pinned memory. Where a method needs logits and the store holds
    the teacher's linear head only, they are W e + b in float32.

    Args:
        store: A store whose samples are sealed.
        name: The target.
        needs: What the method needs.
        device: Where the targets are wanted.
        budget_bytes: The most memory on the device that the arrays may take; 0 always reads from the map.
        memory_bytes: Arrays up to this size fit in memory: each chunk is checked before its first row is used, and
            up to EAGER bytes all of them here. Larger ones are not checked again where a verified mark holds, else
            behind the reader, and `settle` checks what is left.
        method: The method's name, for errors.
        from_head: Compute logits from the stored head also where logits are stored.

    Attributes:
        usable: (N,) bool, the rows that did not fail in the teacher pass.
        class_counts: (C,) int64, the rows that each class mean was made from; None where means are not needed.
        tier: `resident` or `mapped`.
        size: Bytes of the arrays that are read.
        resident: Array -> its rows (N, length) of each view, where the tier is so.

    Raises:
        StoreMissingError: No such target, or it lacks what the method needs.
        UnsealedError: The target is not finished.
        CorruptError: Arrays that are checked are not, byte for byte, what was sealed.
    """

    spec: TargetSpec
    usable: NDArray[np.bool_]

    def __init__(
        self,
        store: Store,
        name: str,
        needs: Needs,
        *,
        device: torch.device,
        budget_bytes: int,
        memory_bytes: int = EAGER,
        method: str = "the method",
        from_head: bool = False,
    ) -> None:
        spec = store.sealed(name).spec
        self._device, self._needs, self._transfer = device, needs, Transfer(device)
        derived = needs.logits and (from_head or "logits" not in spec.arrays)
        self._head = _head(store, spec, device) if derived else None
        if from_head and derived and self._head is None:
            mend = "Use the stored logits: leave --rdm-logits out"
            raise StoreMissingError(f"target {name!r} of {store.path} keeps no head to compute logits with", mend)
        self.spec = spec if self._head is None else _with_logits(spec, len(self._head[0]))
        self.class_counts, self._means = _class_means(store, name, needs, device) if needs.class_mean else (None, None)
        missing(needs, self.spec, self._means is not None, method=method, store=str(store.path))
        self.usable = has_targets(store, name)
        self._names = _names(needs, derived=self._head is not None)
        self.size = sum(_array_bytes(self.spec.arrays[array]) for array in self._names)
        self.tier = "resident" if self.size <= budget_bytes else "mapped"
        check = _check(store, name, fits=self.size <= memory_bytes)
        self.reader = store.target(name, budget_bytes=0, check=check)
        self._behind = self._begin_checks(check) if self.is_read else None
        self.resident = {array: self._load(array) for array in self._names} if self.tier == "resident" else {}
        self._ahead = ReadAhead(self.read)

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None = None) -> Targets:
        """See TargetSource.fetch; the dtype is the stored one, but float32 for class means and derived logits."""
        if self.tier == "resident":
            return self.assemble({name: a[view].index_select(0, rows.device) for name, a in self.resident.items()})
        return self.assemble(self._ahead.take(rows.host, view))

    def _begin_checks(self, check: Check) -> BackgroundCheck | None:
        self.reader.open(self._names)
        if check == "background":
            return BackgroundCheck(self.reader)
        while self.size <= EAGER and self.reader.check_next():
            pass
        return None

    @property
    def checks_behind(self) -> bool:
        """See TargetSource.checks_behind."""
        return self._behind is not None

    def settle(self) -> int:
        """See TargetSource.settle."""
        return 0 if self._behind is None else self._behind.finish()

    @property
    def kept_bytes(self) -> int:
        """See TargetSource.kept_bytes."""
        return self.size if self.tier == "resident" else 0

    @property
    def ahead(self) -> int:
        """See TargetSource.ahead."""
        return self._ahead.most if self.is_read else 0

    @property
    def is_read(self) -> bool:
        """Whether batches are read from the map."""
        return self.tier == "mapped" and bool(self._names)

    def read(self, rows: Rows, view: int) -> dict[str, Tensor]:
        """Rows of the arrays that are read, from the map: (B, length) on the host, pinned for a GPU."""
        arrays = {name: as_tensor(self.reader.read(name, rows, view)) for name in self._names}
        return {name: value.pin_memory() for name, value in arrays.items()} if self._device.type == "cuda" else arrays

    def assemble(self, arrays: Mapping[str, Tensor]) -> Targets:
        """The targets of a batch from its rows of the arrays that are read, on the host or on the device."""
        arrays = {name: self._transfer.bring(value) for name, value in arrays.items()}
        embedding, logits = arrays.get("image_embedding"), arrays.get("logits")
        if self._head is not None and embedding is not None:
            logits = F.linear(embedding.float(), *self._head)
        return Targets(
            image_embedding=embedding if self._needs.image_embedding else None, logits=logits, class_mean=self._means
        )

    def plan(self, batches: Sequence[Rows], view: int) -> None:
        """See TargetSource.plan."""
        if self.is_read:
            self._ahead.plan(batches, view)

    def close(self) -> None:
        """See TargetSource.close."""
        self._ahead.close()
        if self._behind is not None:
            self._behind.close()

    def _load(self, array: str) -> list[Tensor]:
        return [as_tensor(self.reader.all(array, view)).to(self._device) for view in range(self.spec.views)]


def _check(store: Store, name: str, *, fits: bool) -> Check:
    if fits:
        return "first-touch"
    return "background" if verified_at(store, name) is None else "marked"


def as_tensor(stored: NDArray[np.generic]) -> Tensor:
    """A copy of stored values as a tensor of the stored dtype: uint16 is bfloat16, which NumPy has not."""
    if stored.dtype == np.uint16:
        return torch.from_numpy(stored.view(np.int16).copy()).view(torch.bfloat16)
    return torch.from_numpy(stored.copy())


def _names(needs: Needs, *, derived: bool) -> list[str]:
    """The arrays to read."""
    wanted = {"image_embedding": needs.image_embedding or derived, "logits": needs.logits and not derived}
    return [name for name, is_wanted in wanted.items() if is_wanted]


def _head(store: Store, spec: TargetSpec, device: torch.device) -> Head | None:
    kept = store.head(spec.name) if "image_embedding" in spec.arrays else None
    if kept is None:
        return None
    weight, bias = kept
    return as_tensor(weight).to(device), None if bias is None else as_tensor(bias).to(device)


def _with_logits(spec: TargetSpec, classes: int) -> TargetSpec:
    arrays = {**spec.arrays, "logits": ArraySpec(shape=(spec.rows, spec.views, classes), dtype="float32")}
    return replace(spec, arrays=arrays, classes=classes)


def has_targets(store: Store, name: str) -> NDArray[np.bool_]:
    """Which rows did not fail in the teacher pass, (N,)."""
    record = store.sealed(name)
    usable: NDArray[np.bool_] = record.chunks.whole(record.journal.named["status"]) == DECODED
    return usable


def _class_means(
    store: Store, name: str, needs: Needs, device: torch.device
) -> tuple[NDArray[np.int64] | None, Tensor | None]:
    try:
        means, counts = store.class_means(name, needs.per_class)
    except StoreMissingError:
        return None, None
    return counts, as_tensor(means).to(device)


def _array_bytes(spec: ArraySpec) -> int:
    return int(np.prod(spec.shape, dtype=np.int64)) * (4 if spec.dtype == "float32" else 2)

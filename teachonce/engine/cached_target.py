"""One target of a sealed store: the signals that a method needs of it."""

from collections.abc import Mapping
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
from teachonce.engine.readahead import Rows
from teachonce.engine.recheck import BackgroundCheck
from teachonce.errors import StoreMissingError
from teachonce.methods.requirements import missing
from teachonce.signals import Needs, argument, member, of_rows
from teachonce.types import DECODED, ArraySpec, PerClass, TargetSpec

Head = tuple[Tensor, Tensor | None]
EAGER = 4 << 30
"""Bytes that are checked before the first step, so that a run on damaged ones is refused before it is begun."""


class CachedTarget:
    """Reads the signals that are needed of a target, and nothing else.

    Arrays that fit the budget stay on the device; larger ones are read from the mapped chunks. Where logits are needed
    and the store holds the teacher's linear head only, they are W e + b in float32.

    Args:
        store: A store whose samples are sealed.
        name: The target.
        needs: Signals.
        device: Where the targets are wanted.
        budget_bytes: The most memory on the device that the arrays may take; 0 always reads from the map.
        memory_bytes: Arrays up to this size fit in memory: each chunk is checked before its first row is used, and
            up to EAGER bytes all of them here. Larger ones are not checked again where a verified mark holds, else
            behind the reader, and `settle` checks what is left.
        method: The method's name, for errors.
        from_head: Compute logits from the stored head also where logits are stored.

    Attributes:
        spec: What the target offers, with logits where a head gives them.
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
        self.name, self._device, self._needs, self._transfer = name, device, needs, Transfer(device)
        derived = "logits" in needs and (from_head or "logits" not in spec.arrays)
        self._head = _head(store, spec, device) if derived else None
        if from_head and derived and self._head is None:
            mend = "Use the stored logits: leave --rdm-logits out"
            raise StoreMissingError(f"target {name!r} of {store.path} keeps no head to compute logits with", mend)
        self.spec = spec if self._head is None else _with_logits(spec, len(self._head[0]))
        self.class_counts, self._constant = _class_means(store, name, needs, device)
        missing(needs, self.spec, self._constant, method=method, store=str(store.path))
        self.usable = has_targets(store, name)
        self._names = _arrays(needs, derived=self._head is not None)
        self.size = sum(_array_bytes(self.spec.arrays[array]) for array in self._names)
        self.tier = "resident" if self.size <= budget_bytes else "mapped"
        check = _check(store, name, fits=self.size <= memory_bytes)
        self.reader = store.target(name, budget_bytes=0, check=check)
        self._behind = self._begin_checks(check) if self.is_read else None
        self.resident = {array: self._load(array) for array in self._names} if self.tier == "resident" else {}

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
        """Bytes on the device."""
        return self.size if self.tier == "resident" else 0

    @property
    def is_read(self) -> bool:
        """Whether batches are read from the map."""
        return self.tier == "mapped" and bool(self._names)

    def read(self, rows: Rows, view: int) -> dict[str, Tensor]:
        """Rows of the arrays that are read, from the map: (B, length) on the host, pinned for a GPU."""
        arrays = {name: as_tensor(self.reader.read(name, rows, view)) for name in self._names}
        return {name: value.pin_memory() for name, value in arrays.items()} if self._device.type == "cuda" else arrays

    def assemble(self, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The signals of a batch, on the device.

        Args:
            arrays: Its rows of the arrays that are read, (B, width), on the host or on the device.

        Returns:
            What is needed; the dtype is the stored one, but float32 for class means and derived logits.
        """
        brought = {name: self._transfer.bring(value) for name, value in arrays.items()}
        signals = {name: value for name, value in brought.items() if name in self._needs}
        if self._head is not None:
            signals["logits"] = F.linear(brought["image_embedding"].float(), *self._head)
        return signals | self._constant

    def close(self) -> None:
        """See TargetSource.close."""
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


def _arrays(needs: Needs, *, derived: bool) -> list[str]:
    """The arrays to read: one a signal, but that logits may be derived from embeddings."""
    return of_rows(needs - {"logits"} | {"image_embedding"} if derived else needs)


def _head(store: Store, spec: TargetSpec, device: torch.device) -> Head | None:
    kept = store.head(spec.name) if "image_embedding" in spec.arrays else None
    if kept is None:
        return None
    weight, bias = kept
    return as_tensor(weight).to(device), None if bias is None else as_tensor(bias).to(device)


def _with_logits(spec: TargetSpec, classes: int) -> TargetSpec:
    arrays = {**spec.arrays, "logits": ArraySpec(shape=(spec.rows, spec.views, classes), dtype="float32")}
    return replace(spec, arrays=arrays)


def has_targets(store: Store, name: str) -> NDArray[np.bool_]:
    """Which rows did not fail in the teacher pass, (N,)."""
    record = store.sealed(name)
    usable: NDArray[np.bool_] = record.chunks.whole(record.journal.named["status"]) == DECODED
    return usable


def _class_means(
    store: Store, name: str, needs: Needs, device: torch.device
) -> tuple[NDArray[np.int64] | None, dict[str, Tensor]]:
    """(C,) the rows of each mean, and the means (C, D) by the name of their signal; nothing where none are needed."""
    wanted = member(needs, "class_mean")
    if wanted is None:
        return None, {}
    try:
        means, counts = store.class_means(name, per_class(wanted))
    except StoreMissingError:
        return None, {}
    return counts, {wanted: as_tensor(means).to(device)}


def per_class(wanted: str) -> PerClass | None:
    """The rows of each class that a signal `class_mean:ROWS` is over; None: those of the store's own means."""
    rows = argument(wanted)
    return None if rows is None else "all" if rows == "all" else int(rows)


def _array_bytes(spec: ArraySpec) -> int:
    return int(np.prod(spec.shape, dtype=np.int64)) * (4 if spec.dtype == "float32" else 2)

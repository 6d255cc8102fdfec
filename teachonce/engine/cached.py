"""Targets from a sealed store. The teacher's weights are never touched."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachonce.cache.store import Store
from teachonce.engine.cached_target import EAGER, CachedTarget
from teachonce.engine.readahead import ReadAhead, Rows
from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.methods.targets import Targets
from teachonce.signals import Needs

Arrays = dict[str, Tensor]


class CachedTargets(TargetSource):
    """The signals that a method needs of one or several targets of a store.

    Targets that fit the budget stay on the device, and a batch is one `index_select` of each array; where several do,
    in one dtype, they lie side by side, and a batch is one of all. Others are read from the mapped chunks by one thread
    that runs ahead, through pinned memory.

    Args:
        store: A store whose samples are sealed.
        reads: Target -> the signals that are needed of it, the main target first.
        device: Where the targets are wanted.
        budget_bytes: The most memory on the device that the arrays may take, in the order of `reads`; 0 always reads
            from the map.
        memory_bytes: See CachedTarget.
        method: The method's name, for errors.
        from_head: Targets whose logits are computed with their head though they are stored.

    Attributes:
        targets: The targets by name, the main one first.

    Raises:
        StoreMissingError: No such target, or it lacks what the method needs.
        UnsealedError: A target is not finished.
        CorruptError: Arrays that are checked are not, byte for byte, what was sealed.
    """

    def __init__(
        self,
        store: Store,
        reads: Mapping[str, Needs],
        *,
        device: torch.device,
        budget_bytes: int,
        memory_bytes: int = EAGER,
        method: str = "the method",
        from_head: Collection[str] = (),
    ) -> None:
        self.targets: dict[str, CachedTarget] = {}
        for name, needs in reads.items():
            self.targets[name] = CachedTarget(
                store,
                name,
                needs,
                device=device,
                budget_bytes=budget_bytes - self.kept_bytes,
                memory_bytes=memory_bytes,
                method=method,
                from_head=name in from_head,
            )
        self.specs = {name: target.spec for name, target in self.targets.items()}
        self.usable = np.logical_and.reduce([target.usable for target in self.targets.values()])
        several = len(self.targets) > 1 and Packed.possible(self._all)
        self._packed = Packed(self._all) if several else None
        self._mapped = [target for target in self._all if target.is_read]
        self._ahead = ReadAhead(self._read)

    @property
    def _all(self) -> list[CachedTarget]:
        return list(self.targets.values())

    @property
    def class_counts(self) -> NDArray[np.int64] | None:
        """(C,) int64, the rows that each class mean of the main target was made from; None where none are needed."""
        return self._all[0].class_counts

    @property
    def size(self) -> int:
        """Bytes of the arrays that are read."""
        return sum(target.size for target in self._all)

    @property
    def kept_bytes(self) -> int:
        """See TargetSource.kept_bytes."""
        return sum(target.kept_bytes for target in self._all)

    @property
    def ahead(self) -> int:
        """See TargetSource.ahead."""
        return self._ahead.most if self._mapped else 0

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None = None) -> Targets:
        """See TargetSource.fetch; the dtype is the stored one, but float32 for class means and derived logits."""
        arrays = self._arrays(rows, view) if self._packed is None else self._packed.fetch(rows, view)
        return Targets(
            self._all[0].name,
            {
                (target.name, signal): value
                for target, read in zip(self._all, arrays, strict=True)
                for signal, value in target.assemble(read).items()
            },
        )

    def plan(self, batches: Sequence[Rows], view: int) -> None:
        """See TargetSource.plan."""
        if self._mapped:
            self._ahead.plan(batches, view)

    @property
    def checks_behind(self) -> bool:
        """See TargetSource.checks_behind."""
        return any(target.checks_behind for target in self._all)

    def settle(self) -> int:
        """See TargetSource.settle."""
        return sum(target.settle() for target in self._all)

    def close(self) -> None:
        """See TargetSource.close."""
        self._ahead.close()
        for target in self._all:
            target.close()

    def _read(self, rows: Rows, view: int) -> list[Arrays]:
        return [target.read(rows, view) for target in self._mapped]

    def _arrays(self, rows: BatchRows, view: int) -> list[Arrays]:
        """The rows of each target, from the device or from the map."""
        read = iter(self._ahead.take(rows.host, view) if self._mapped else ())
        return [next(read) if target in self._mapped else _resident(target, rows, view) for target in self._all]


def _resident(target: CachedTarget, rows: BatchRows, view: int) -> Arrays:
    return {name: array[view].index_select(0, rows.device) for name, array in target.resident.items()}


class Packed:
    """The arrays of resident targets side by side, a matrix a view; the targets keep views of it, and no copies.

    Args:
        targets: For which `possible` holds.
    """

    def __init__(self, targets: Sequence[CachedTarget]) -> None:
        self._targets = list(targets)
        self._widths = [array[0].shape[1] for target in targets for array in target.resident.values()]
        self._views = [self._pack(view) for view in range(targets[0].spec.views)]

    @staticmethod
    def possible(targets: Sequence[CachedTarget]) -> bool:
        """Whether all are resident, and their arrays of one dtype."""
        resident = all(target.tier == "resident" for target in targets)
        return resident and len({a[0].dtype for target in targets for a in target.resident.values()}) == 1

    def fetch(self, rows: BatchRows, view: int) -> list[Arrays]:
        """The rows of a batch, of every target."""
        parts = iter(torch.split(self._views[view].index_select(0, rows.device), self._widths, dim=1))
        return [{name: next(parts) for name in target.resident} for target in self._targets]

    def _pack(self, view: int) -> Tensor:
        packed = torch.cat([array[view] for target in self._targets for array in target.resident.values()], dim=1)
        parts = iter(torch.split(packed, self._widths, dim=1))
        for target in self._targets:
            for array in target.resident.values():
                array[view] = next(parts)
        return packed

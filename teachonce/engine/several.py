"""Several sources of targets behind the one interface: the main one, and extras beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachonce.engine.cached import CachedTargets
from teachonce.engine.readahead import ReadAhead, Rows
from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.methods.targets import Targets

Arrays = dict[str, Tensor]


class SeveralTargets(TargetSource):
    """A main source and extras by name, fetched together.

    Cached ones that are all resident, in one dtype, are laid side by side, so that a batch is one `index_select`; those
    that are mapped are read ahead by one thread.

    Args:
        main: What `Targets` itself is filled from.
        extras: Name -> what `Targets.extras` is filled from; they look at no image, or at the main one's.
    """

    def __init__(self, main: TargetSource, extras: Mapping[str, TargetSource]) -> None:
        assert main.spec is not None
        self._main, self._extras = main, dict(extras)
        specs = {name: source.spec for name, source in extras.items() if source.spec is not None}
        self.spec = replace(main.spec, extras=specs)
        self.input = main.input
        self.usable = _all_usable(self._all)
        cached = [source for source in self._all if isinstance(source, CachedTargets)]
        self._packed = Packed(cached) if len(cached) == len(self._all) and Packed.possible(cached) else None
        self._mapped = [source for source in cached if source.is_read]
        self._ahead = ReadAhead(self._read)

    @property
    def _all(self) -> list[TargetSource]:
        return [self._main, *self._extras.values()]

    @property
    def kept_bytes(self) -> int:
        """See TargetSource.kept_bytes."""
        return sum(source.kept_bytes for source in self._all)

    @property
    def ahead(self) -> int:
        """See TargetSource.ahead."""
        return max(source.ahead for source in self._all)

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None = None) -> Targets:
        """See TargetSource.fetch."""
        if self._packed is None:
            read = iter(self._ahead.take(rows.host, view) if self._mapped else ())
            found = [self._one(source, rows, view, images, read) for source in self._all]
        else:
            found = self._packed.fetch(rows, view)
        return replace(found[0], extras=dict(zip(self._extras, found[1:], strict=True)))

    def plan(self, batches: Sequence[Rows], view: int) -> None:
        """See TargetSource.plan."""
        if self._mapped:
            self._ahead.plan(batches, view)
        for source in self._all:
            if source not in self._mapped:
                source.plan(batches, view)

    @property
    def checks_behind(self) -> bool:
        """See TargetSource.checks_behind."""
        return any(source.checks_behind for source in self._all)

    def settle(self) -> int:
        """See TargetSource.settle."""
        return sum(source.settle() for source in self._all)

    def close(self) -> None:
        """See TargetSource.close."""
        self._ahead.close()
        for source in self._all:
            source.close()

    def _read(self, rows: Rows, view: int) -> list[Arrays]:
        return [source.read(rows, view) for source in self._mapped]

    def _one(
        self, source: TargetSource, rows: BatchRows, view: int, images: Tensor | None, read: Iterator[Arrays]
    ) -> Targets:
        if source in self._mapped:
            assert isinstance(source, CachedTargets)
            return source.assemble(next(read))
        return source.fetch(rows, view, images)


class Packed:
    """The arrays of resident sources side by side, a matrix a view; the sources keep views of it, and no copies.

    Args:
        sources: For which `possible` holds.
    """

    def __init__(self, sources: Sequence[CachedTargets]) -> None:
        self._sources = list(sources)
        self._widths = [array[0].shape[1] for source in sources for array in source.resident.values()]
        self._views = [self._pack(view) for view in range(sources[0].spec.views)]

    @staticmethod
    def possible(sources: Sequence[CachedTargets]) -> bool:
        """Whether all are resident, and their arrays of one dtype."""
        resident = all(source.tier == "resident" for source in sources)
        return resident and len({a[0].dtype for source in sources for a in source.resident.values()}) == 1

    def fetch(self, rows: BatchRows, view: int) -> list[Targets]:
        """The targets of a batch, of every source."""
        parts = iter(torch.split(self._views[view].index_select(0, rows.device), self._widths, dim=1))
        return [source.assemble({name: next(parts) for name in source.resident}) for source in self._sources]

    def _pack(self, view: int) -> Tensor:
        packed = torch.cat([array[view] for source in self._sources for array in source.resident.values()], dim=1)
        parts = iter(torch.split(packed, self._widths, dim=1))
        for source in self._sources:
            for array in source.resident.values():
                array[view] = next(parts)
        return packed


def _all_usable(sources: Sequence[TargetSource]) -> NDArray[np.bool_] | None:
    known = [source.usable for source in sources if source.usable is not None]
    usable: NDArray[np.bool_] | None = np.logical_and.reduce(known) if known else None
    return usable

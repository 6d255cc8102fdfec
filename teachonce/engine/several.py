"""Several sources of targets behind the one interface: the main one, and extras beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachonce.engine.cached import CachedTargets
from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.methods.targets import Targets


class SeveralTargets(TargetSource):
    """A main source and extras by name, fetched together.

    Cached ones that are all resident, in one dtype, are laid side by side, so that a batch is one `index_select`.

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
            found = [source.fetch(rows, view, images) for source in self._all]
        else:
            found = self._packed.fetch(rows, view)
        return replace(found[0], extras=dict(zip(self._extras, found[1:], strict=True)))

    def plan(self, batches: Sequence[NDArray[np.int64]], view: int) -> None:
        """See TargetSource.plan."""
        for source in self._all:
            source.plan(batches, view)

    def close(self) -> None:
        """See TargetSource.close."""
        for source in self._all:
            source.close()


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

"""Several sources of targets behind the one interface: the main one, and extras beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.methods.targets import Targets


class SeveralTargets(TargetSource):
    """A main source and extras by name, fetched together.

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
        self.usable = _all_usable([main, *extras.values()])

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None = None) -> Targets:
        """See TargetSource.fetch."""
        extras = {name: source.fetch(rows, view, images) for name, source in self._extras.items()}
        return replace(self._main.fetch(rows, view, images), extras=extras)

    def plan(self, batches: Sequence[NDArray[np.int64]], view: int) -> None:
        """See TargetSource.plan."""
        for source in (self._main, *self._extras.values()):
            source.plan(batches, view)

    def close(self) -> None:
        """See TargetSource.close."""
        for source in (self._main, *self._extras.values()):
            source.close()


def _all_usable(sources: Sequence[TargetSource]) -> NDArray[np.bool_] | None:
    known = [source.usable for source in sources if source.usable is not None]
    usable: NDArray[np.bool_] | None = np.logical_and.reduce(known) if known else None
    return usable

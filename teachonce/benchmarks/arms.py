"""The ways to make steps that benchmarks compare."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor

from teachonce.engine.feed import Batch
from teachonce.engine.session import Session
from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.methods.targets import Targets

_LONG = 64  # steps of an epoch that is long, beside what is read ahead


class ConstantTargets(TargetSource):
    """The same targets for every batch, on the device already: the least that a source can cost.

    Args:
        source: Whose first batch is kept.
        rows: That batch.
    """

    def __init__(self, source: TargetSource, rows: BatchRows) -> None:
        self.specs = source.specs
        self._targets = source.fetch(rows, 0, None)

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None) -> Targets:
        """See TargetSource.fetch."""
        return self._targets


@dataclass(kw_only=True)
class Arm:
    """One way to make steps, with a student of its own."""

    session: Session
    reads_ahead: bool = True
    """Read mapped targets before they are asked for. Where another arm's turn comes after each step they would be read
    in its time, free of charge: without it, they are read in our own."""
    _batches: Iterator[Batch] = field(default_factory=lambda: iter(()))
    _epoch: int = -1
    _view: int = 0

    def run(self, steps: int) -> None:
        """Make some steps, drawing their batches as training does."""
        for _ in range(steps):
            batch = next(self._batches, None)
            if batch is None:
                self._begin()
                batch = next(self._batches)
            self.session.stepper.step(batch, self._view)

    def _begin(self) -> None:
        """Begin the next epochs, in the view of the first: so many of them as make a long one.

        Nothing is read ahead beyond an epoch's end. That of a benchmark's few rows would be so near that the steps
        before it had been read for long, and those after it were waited for.
        """
        loop, feed, first = self.session.loop, self.session.feed, self._epoch + 1
        self._epoch += -(-_LONG // loop.steps)
        rows = [batch for epoch in range(first, self._epoch + 1) for batch in loop.batches(epoch)]
        self._view = feed.views.view(first)
        if self.reads_ahead:
            self.session.stepper.source.plan(rows, self._view)
        self._batches = iter(feed.batches(rows, first))

    @property
    def ahead(self) -> int:
        """How many batches are read before they are asked for, at most."""
        return max(self.session.feed.images.ahead, self.session.stepper.source.ahead)

    def rest(self) -> None:
        """Read nothing ahead any more; the next step begins an epoch."""
        self._batches = iter(())
        self.session.stepper.source.close()

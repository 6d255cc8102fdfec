"""One pass of the teacher over open blocks: decode, run, write, each while the others work."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.dtypes import stored
from teachonce.engine.background import Ahead, Behind
from teachonce.engine.stage_one.feed import Batch
from teachonce.engine.stage_one.forward import Forward, Outputs, as_stored
from teachonce.events import Task
from teachonce.types import DECODED, FAILED, ArraySpec

_UNDER_WAY = 2  # batches that are begun on the device when the one before them is waited for


@dataclass(frozen=True, kw_only=True)
class FilledBlock:
    """A block of samples with the teacher's outputs, in the order of its rows."""

    index: int
    is_new: bool
    """Whether the samples are to be committed, too."""
    digest: NDArray[np.uint64]
    """(n,)"""
    params: NDArray[np.float32]
    """(n, V, 6)"""
    status: NDArray[np.uint8]
    """(n,): 1, or 2 in failed rows."""
    failed: Mapping[int, str]
    """Row of the dataset -> reason code."""
    arrays: Mapping[str, NDArray[Any]]
    """Each (n, V, D) in its stored dtype; the fill value in failed rows."""


@dataclass(kw_only=True)
class Filling:
    """A block that is being filled, batch by batch."""

    arrays: Mapping[str, ArraySpec]
    batches: list[Batch] = field(default_factory=list)
    parts: list[dict[str, NDArray[Any]]] = field(default_factory=list)

    def add(self, batch: Batch, outputs: list[Outputs]) -> None:
        """Take what a batch gave, view by view."""
        part = {}
        for name, spec in self.arrays.items():
            kind = stored(spec.dtype)
            values = np.full((len(batch.rows), batch.params.shape[1], *spec.shape), kind.fill, kind.numpy)
            for view, output in enumerate(outputs):
                values[batch.good, view] = as_stored(output.arrays[name])
            part[name] = values
        self.batches.append(replace(batch, images=None))  # a block of pixels would be a lot of page-locked memory
        self.parts.append(part)

    def filled(self) -> FilledBlock:
        """The whole block, once its last batch is here."""
        good = np.concatenate([batch.good for batch in self.batches])
        return FilledBlock(
            index=self.batches[0].block,
            is_new=self.batches[0].is_new,
            digest=np.concatenate([batch.digest for batch in self.batches]),
            params=np.concatenate([batch.params for batch in self.batches]),
            status=np.where(good, DECODED, FAILED).astype(np.uint8),
            failed={row: code for batch in self.batches for row, code in batch.failed.items()},
            arrays={name: np.concatenate([part[name] for part in self.parts]) for name in self.arrays},
        )


@dataclass(frozen=True, kw_only=True)
class Pass:
    """Runs batches, and hands filled blocks to whoever commits them, in a thread."""

    forward: Forward
    arrays: Mapping[str, ArraySpec]
    """Name -> the shape of one row of one view, and the stored dtype."""
    commit: Callable[[FilledBlock], None]
    task: Task
    """Is told of every view of every row that is done."""

    def run(self, batches: Iterable[Batch]) -> None:
        """Run all batches; returns when every block is committed.

        Raises:
            NonFiniteError: An output cannot be stored; names the row.
            MismatchError: The data is not the store's.
            DiskError: A block could not be written.
        """
        with Ahead(batches, depth=_UNDER_WAY + 2) as ahead, Behind(self.commit, depth=1) as writer:
            filling = Filling(arrays=self.arrays)
            for batch, outputs in self._begun(ahead):
                writer.check()
                self._settle(batch, outputs, filling)
                if batch.is_last:
                    writer.submit(filling.filled())
                    filling = Filling(arrays=self.arrays)

    def _begun(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, list[Outputs]]]:
        """Begin batches on the device a few ahead of their use; an error comes after what was begun before it."""
        begun: deque[tuple[Batch, list[Outputs]]] = deque()
        failure: Exception | None = None
        try:
            for batch in batches:
                begun.append((batch, [] if batch.images is None else self.forward(batch.images)))
                if len(begun) > _UNDER_WAY:
                    yield begun.popleft()
        except Exception as error:  # noqa: BLE001 - raised again below
            failure = error
        yield from begun
        if failure is not None:
            raise failure

    def _settle(self, batch: Batch, outputs: list[Outputs], filling: Filling) -> None:
        rows = batch.rows[batch.good]
        for output in outputs:
            output.wait()
            output.check(rows, next(iter(self.arrays.values())).dtype)
        filling.add(batch, outputs)
        self.task.advance(len(batch.rows) * batch.params.shape[1])

"""Decoded rows on their way to the teacher: compared with the store, given their views, packed into batches."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from teachonce.data.blocks import Block as DecodedRows
from teachonce.data.blocks import decode_blocks
from teachonce.data.decode import DecodeError
from teachonce.data.packed import Packed
from teachonce.data.samples import Samples
from teachonce.engine.datacheck import refuse_other
from teachonce.engine.stage_one.forward import Images
from teachonce.engine.stage_one.stored import StoredBlock
from teachonce.engine.stage_one.views import ViewPlan

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Some rows of one block, decoded; a batch never crosses a block."""

    block: int
    rows: Rows
    """(B,) the rows of the dataset, consecutive."""
    digest: NDArray[np.uint64]
    """(B,)"""
    params: NDArray[np.float32]
    """(B, V, 6); anything in failed rows."""
    failed: dict[int, str]
    """Row -> reason code."""
    images: Images | None
    """Those that did not fail, in order; None where all did."""
    is_new: bool
    """Whether the store does not hold these samples yet."""
    is_last: bool
    """Whether the block ends here."""

    @property
    def good(self) -> NDArray[np.bool_]:
        """(B,) whether a row did not fail."""
        return ~np.isin(self.rows, list(self.failed))


@dataclass(frozen=True, kw_only=True)
class Feed:
    """Turns the rows of open blocks into batches."""

    samples: Samples
    plan: ViewPlan
    """The views of samples that the store does not hold yet."""
    block_range: Callable[[int], tuple[int, int]]
    """The first row of a block, and the row after its last."""
    stored: Callable[[int], StoredBlock | None]
    """The samples of a block as the store holds them, if it does."""
    batch_size: int
    workers: int | None
    pin: bool
    """Whether to pack into page-locked memory."""
    check: Callable[[Rows, Rows, NDArray[np.float32]], None] | None = None
    """Looks at the rows, sizes and views of each batch; see `RuleCheck`."""
    treated: Counter[int] = field(default_factory=Counter)
    """How many images so far were decoded otherwise than by every pipeline; see `decode_treated`."""

    def batches(self, blocks: Sequence[int]) -> Iterator[Batch]:
        """The batches of some blocks, in order; close the iterator to stop early.

        Raises:
            MismatchError: The store holds these rows already, and they are other samples.
        """
        groups = (rows for block in blocks for rows in self._groups(block))
        with closing(decode_blocks(self.samples, groups, workers=self.workers)) as decoded:
            for block in blocks:
                stored, (start, stop) = self.stored(block), self.block_range(block)
                for _ in self._groups(block):
                    yield self._batch(block, next(decoded), stored, start, stop)

    def _groups(self, block: int) -> Iterator[Rows]:
        start, stop = self.block_range(block)
        for first in range(start, stop, self.batch_size):
            yield np.arange(first, min(first + self.batch_size, stop), dtype=np.int64)

    def _batch(self, block: int, decoded: DecodedRows, stored: StoredBlock | None, start: int, stop: int) -> Batch:
        rows, failed = decoded.rows, decoded.failed
        self.treated.update(decoded.treated.tolist())
        if stored is None:
            params = self.plan.params(decoded.sizes, rows)
        else:
            place = slice(int(rows[0]) - start, int(rows[-1]) + 1 - start)
            refuse_other(stored.store, rows, stored.digest[place], decoded.digests, known=stored.digest)
            params = stored.params[place]
            failed |= {row: code for row, code in stored.failed.items() if rows[0] <= row <= rows[-1]}
        if self.check is not None:
            self.check(rows, np.where(np.isin(rows, list(failed))[:, None], 0, decoded.sizes), params)
        return Batch(
            block=block,
            rows=rows,
            digest=decoded.digests,
            params=params,
            failed=failed,
            images=packed(decoded, params, failed, pin=self.pin),
            is_new=stored is None,
            is_last=int(rows[-1]) + 1 == stop,
        )


def packed(decoded: DecodedRows, params: NDArray[np.float32], failed: Mapping[int, str], *, pin: bool) -> Images | None:
    """The decoded images that did not fail, with their views, as a batch; None where all failed.

    Args:
        decoded: The rows.
        params: (B, V, 6) the views of all of them.
        failed: Row -> reason code.
        pin: Whether to pack into page-locked memory.
    """
    good = [place for place, row in enumerate(decoded.rows.tolist()) if row not in failed]
    images = [image for place in good if not isinstance(image := decoded.images[place], DecodeError)]
    if not images:
        return None
    return Images(packed=Packed.of(images, pin=pin), params=params[good])

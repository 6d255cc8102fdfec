"""Decoded rows in groups, in order and ahead of their use: what stage one reads."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from teachonce.data.decode import DecodeError
from teachonce.data.samples import Samples
from teachonce.data.workers import Decoded, chunk_rows, count_workers, decode_rows, probe_pixels

_AHEAD_BYTES = 1 << 30


class Block(NamedTuple):
    """Rows that belong together, decoded."""

    rows: np.ndarray
    """int64 (n,)."""
    images: list[np.ndarray | DecodeError]
    """uint8 (H, W, 3) each, or why there is none."""
    digests: np.ndarray
    """uint64 (n,), identities; 0 where a row's bytes are missing."""
    treated: np.ndarray
    """uint8 (n,), what was done to each image; see `decode_treated`."""

    @property
    def sizes(self) -> np.ndarray:
        """int64 (n, 2), height and width in pixels; zeros where there is no image."""
        shapes = [(0, 0) if isinstance(image, DecodeError) else image.shape[:2] for image in self.images]
        return np.array(shapes, np.int64).reshape(-1, 2)

    @property
    def failed(self) -> dict[int, str]:
        """The code of each row that gave no image."""
        pairs = zip(self.rows.tolist(), self.images, strict=True)
        return {row: image.code for row, image in pairs if isinstance(image, DecodeError)}


def decode_blocks(
    samples: Samples, blocks: Iterable[np.ndarray], *, workers: int | None = None, ahead: int | None = None
) -> Generator[Block, None, None]:
    """Decode groups of rows in workers, in order; close the iterator to stop early.

    A group is held as a whole, so large images want small groups: a teacher's batch, not a store's block.

    Args:
        samples: What is read.
        blocks: Rows of each group, int64 (n,).
        workers: See `count_workers`.
        ahead: Chunks (about 2 MiB of pixels each) that are decoded and not yet taken; None: four for each worker,
            within 1 GiB.
    """
    rest = iter(blocks)
    first = next(rest, None)
    if first is None:
        return
    threads, pixels = count_workers(workers), max(1.0, probe_pixels(samples, first))
    size = chunk_rows(pixels)
    ahead = ahead or max(2, min(4 * threads, int(_AHEAD_BYTES / (3 * pixels * size))))
    groups = deque[tuple[np.ndarray, int]]()  # begun, with the number of chunks that each was cut into

    def chunks() -> Iterator[np.ndarray]:
        for rows in chain([first], rest):
            parts = np.array_split(rows, max(1, -(-len(rows) // size)))
            groups.append((rows, len(parts)))
            yield from parts

    with closing(decode_rows(samples, chunks(), workers=threads, pixels=pixels, ahead=ahead)) as results:
        for part in results:
            rows, parts = groups.popleft()
            yield _block(rows, [*part, *chain.from_iterable(islice(results, parts - 1))])


def _block(rows: np.ndarray, decoded: Sequence[Decoded]) -> Block:
    digests = np.fromiter((row.digest for row in decoded), np.uint64, len(decoded))
    treated = np.fromiter((row.treated for row in decoded), np.uint8, len(decoded))
    return Block(rows, [row.image for row in decoded], digests, treated)

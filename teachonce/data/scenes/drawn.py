"""Which random words of a row are for what: each part has counters of its own, so that none moves another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from teachonce.data.counters import Words, row_words
from teachonce.data.scenes.words import DRAWS, TEMPLATES
from teachonce.data.scenes.world import Draws, Scene, draw_scene
from teachonce.errors import DataError

SCENE, OBJECTS = range(3), range(3, 11)
GRAIN = OBJECTS.stop
"""The first of those of the image's grain, as many as its pixels take."""
_TEXTS = 1 << 20  # beyond any grain
ORDER = range(_TEXTS, _TEXTS + 4)
TEXTS = range(ORDER.stop, ORDER.stop + len(TEMPLATES) * DRAWS // 4)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The rows of a split."""

    seed: int
    split: int
    rows: int
    labels: tuple[int, ...]
    """The classes that occur."""

    def words(self, rows: Sequence[int] | NDArray[np.integer], counters: range) -> Words:
        """The words of these rows, uint64 (n, 4 * len(counters)).

        Raises:
            DataError: There is no such row.
        """
        wanted = np.asarray(rows, np.int64)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < self.rows:
            got = next(row for row in wanted.tolist() if not 0 <= row < self.rows)
            raise DataError(f"expected a row from 0 to {self.rows - 1}, got {got}", "Count from the first row")
        return row_words(self.seed, wanted.astype(np.uint64), counters, self.split)

    def scene(self, words: Words) -> Scene:
        """What a row shows, from its words of SCENE."""
        return draw_scene(Draws(words.tolist()), self.labels)

    def all_labels(self) -> NDArray[np.int32]:
        """The classes of all rows, int32 (rows,): what `scene` draws first."""
        first = self.words(np.arange(self.rows), SCENE[:1])[:, 0]
        places = first * np.uint64(len(self.labels)) >> np.uint64(32)
        labels: NDArray[np.int32] = np.array(self.labels, np.int32)[places]
        return labels

"""Which view of each row an epoch shows: the store's or the evaluation view, and the student's augmentation on top."""

import numpy as np
from numpy.typing import NDArray

from teachonce.data.views import Augment, compose_views, draw_views, eval_views
from teachonce.engine.split import mix64
from teachonce.types import EvalView

Params = NDArray[np.float32]
Rows = NDArray[np.int64]


class EpochViews:
    """Epoch e shows view e mod K; validation always shows the evaluation view.

    Args:
        sizes: (N, 2) heights and widths in pixels.
        rule: The evaluation view.
        stored: float32 (N, K, 6), the views of the store; None: the evaluation view is the only one.
        augment: The student's own augmentation, drawn anew each epoch; the teacher sees the view without it.
        seed: Of that augmentation.
    """

    def __init__(
        self, sizes: NDArray[np.int64], rule: EvalView, *, stored: Params | None, augment: Augment | None, seed: int
    ) -> None:
        self.rule, self._sizes, self._augment, self._seed = rule, sizes, augment, seed
        self._evaluation = eval_views(sizes, rule)[:, 0]
        self._views = self._evaluation[:, None] if stored is None else stored

    @property
    def count(self) -> int:
        """K."""
        return int(self._views.shape[1])

    @property
    def augmented(self) -> bool:
        """Whether the student sees another view than its teacher."""
        return self._augment is not None

    def view(self, epoch: int) -> int:
        """The view that an epoch (from 0) trains on."""
        return epoch % self.count

    def base(self, rows: Rows, epoch: int | None) -> Params:
        """What the teacher sees: (B, 6); epoch None is the evaluation view."""
        params: Params = self._evaluation[rows] if epoch is None else self._views[rows, self.view(epoch)]
        return params

    def shown(self, rows: Rows, epoch: int | None) -> Params:
        """What the student sees: (B, 6)."""
        base = self.base(rows, epoch)
        if epoch is None or self._augment is None:
            return base
        seed = int(mix64(np.array([self._seed & (2**64 - 1)], np.uint64) ^ np.uint64(epoch + 1))[0])
        drawn = draw_views(self._seen_sizes(rows, base), augment=self._augment, views=1, seed=seed, rows=rows)[:, 0]
        composed: Params = compose_views(base, drawn)
        return composed

    def _seen_sizes(self, rows: Rows, base: Params) -> NDArray[np.float64]:
        """Heights and widths of what the base view shows, in pixels of the image."""
        return self._sizes[rows] * (base[:, 2:4] - base[:, 0:2])

"""Going on with a store whose views are resized otherwise than the installed Pillow resizes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from teachonce.data.geometry import differently_drawn
from teachonce.data.resident import open_images
from teachonce.data.rules import installed_rule
from teachonce.engine.stage_one.job import Job
from teachonce.errors import MismatchError
from teachonce.types import InputSpec, Resizing

_PILLOW = {
    "early": "pillow<12.2",
    "pillow-10": "pillow<12.2",
    "pillow-12.2": "pillow>=12.2,<13",
    "pillow-13": "pillow>=13",
}
_LOOKED_AT = 1024


@dataclass(frozen=True, kw_only=True)
class RuleCheck:
    """Refuses rows of which the teacher would see other pixels than its own image processor gives with this Pillow."""

    store: Path
    rule: Resizing
    """The store's."""
    given: InputSpec
    """The teacher's."""

    def __call__(self, rows: NDArray[np.int64], sizes: NDArray[np.int64], params: NDArray[np.float32]) -> None:
        """Look at rows.

        Args:
            rows: (B,)
            sizes: (B, 2) height and width in pixels, zeros where a row failed.
            params: (B, V, 6) their views.

        Raises:
            MismatchError: Names the first row.
        """
        there = sizes.all(1)
        for view in range(params.shape[1]):
            part = params[there, view]
            wrong = differently_drawn(part, sizes[there], self.given, self.rule, installed_rule())
            if wrong.any():
                index = np.flatnonzero(there)[np.flatnonzero(wrong)[0]]
                raise self._error(int(rows[index]), sizes[index].tolist())

    def _error(self, row: int, size: list[int]) -> MismatchError:
        return MismatchError(
            f"{self.store} resizes images by the rule {self.rule!r}, the installed Pillow by {installed_rule()!r}: "
            f"of row {row} ({size[0]} x {size[1]}) the teacher would get other pixels than from its processor",
            f"Install '{_PILLOW[self.rule]}' to resume, or use another --store",
        )


def rule_check(job: Job) -> RuleCheck | None:
    """The check of a job, after a look at up to 1,024 of its rows; None where it needs none.

    It needs none where the store's rule is the installed one, or that of a teacher that is a run: by it, it was trained
    and is evaluated. What was sealed once is made again as it was, in a repair.

    Raises:
        MismatchError: See `RuleCheck`.
    """
    was_sealed = job.record is not None and bool(job.record.sealed or job.record.kept)
    if job.store is None or was_sealed or job.views.spec.resizing in (installed_rule(), job.teacher.info.resizing):
        return None
    check = RuleCheck(store=job.path, rule=job.views.spec.resizing, given=job.teacher.info.input)
    rows = np.unique(np.linspace(0, job.samples.rows - 1, min(_LOOKED_AT, job.samples.rows)).astype(np.int64))
    sizes = open_images(job.samples, device="cpu", rows=rows, budget_bytes=0).sizes[rows]
    check(rows, sizes, job.views.params(sizes, rows))
    return check

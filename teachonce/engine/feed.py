"""Batches for the loop: rows, what is known of their samples, and what a live teacher takes; all on the device."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachonce.data.resident import ImageSource
from teachonce.engine.datacheck import DataCheck
from teachonce.engine.targets import BatchRows, on_device
from teachonce.engine.views import EpochViews
from teachonce.types import InputSpec

Rows = NDArray[np.int64]


class Batch(NamedTuple):
    """One batch on the device."""

    rows: BatchRows
    inputs: Mapping[str, Tensor]
    """What is known of the samples, by name: `image`, (B, 3, h, w) float32 as the student takes it, and `label`, (B,)
    int64, where the data has labels."""
    teacher: Tensor | None
    """What a live teacher takes of them, images (B, 3, h', w') float32 of the same view; None when none looks."""


class Feed:
    """Draws batches of rows as the models' inputs. Its probe is that of its images.

    Args:
        images: The data's pixels.
        labels: (N,) int32, -1 for a row without one; None where the data has none.
        views: What is seen of them.
        student: The student's input.
        teacher: The input of a live teacher; None where none runs.
        device: Where the batches are wanted.
        check: Checks rows that were not compared with the store before, as they are first read.
    """

    def __init__(
        self,
        images: ImageSource,
        labels: NDArray[np.int32] | None,
        views: EpochViews,
        *,
        student: InputSpec,
        teacher: InputSpec | None,
        device: torch.device,
        check: DataCheck | None = None,
    ) -> None:
        self.views, self.device = views, device
        self.images, self.teacher = images, teacher
        self._student, self._check = student, check
        self._labels = None if labels is None else torch.from_numpy(labels.astype(np.int64)).to(device)

    @property
    def failed(self) -> int:
        """Samples that gave no image, as far as they were read; those that were left out are among them."""
        return len(self.images.failed)

    def batches(self, batches: Sequence[Rows], epoch: int | None) -> Iterator[Batch]:
        """The batches of these rows, in order; of each, nothing is kept here once it is handed over.

        Args:
            batches: Host rows of each.
            epoch: Which epoch's views, from 0; None: the evaluation view, and nothing for a teacher.

        Raises:
            MismatchError: A row is not the store's.
        """
        pixels = self._checked(batches, self._pixels(batches, epoch))
        for rows in on_device(batches, self.device):
            yield self._batch(rows, pixels)
        for _ in pixels:
            raise AssertionError("more pixels than rows")

    def _batch(self, rows: BatchRows, pixels: Iterator[tuple[Tensor, Tensor | None]]) -> Batch:
        """In a frame of its own: a generator's would keep the pixels until the next batch is drawn."""
        images, teacher_images = next(pixels)
        self._past("data")
        labels = {} if self._labels is None else {"label": self._labels.index_select(0, rows.device)}
        batch = Batch(rows, {"image": images, **labels}, teacher_images)
        self._past("transfer")
        return batch

    def _past(self, part: str) -> None:
        if self.images.probe is not None:
            self.images.probe(part)

    def _pixels(self, batches: Sequence[Rows], epoch: int | None) -> Iterator[tuple[Tensor, Tensor | None]]:
        teacher = self.teacher if epoch is not None else None
        if teacher is None:
            return map(_without_teacher, self._drawn(batches, epoch, self._student, shown=True))
        if not self.views.augmented:
            return map(itemgetter(0, 1), self._drawn(batches, epoch, self._student, teacher, shown=True))
        own = self._drawn(batches, epoch, self._student, shown=True)
        plain = self._drawn(batches, epoch, teacher, shown=False)
        return map(_both, own, plain)

    def _drawn(
        self, batches: Sequence[Rows], epoch: int | None, *specs: InputSpec, shown: bool
    ) -> Iterator[tuple[Tensor, ...]]:
        params = self.views.shown if shown else self.views.base
        if self.images.resident and not self.images.ahead:
            return (self.images.batch(rows, params(rows, epoch), *specs) for rows in batches)
        stream = self.images.stream(batches, lambda rows: params(rows, epoch), *specs)
        return map(itemgetter(1), stream)

    def _checked(
        self, batches: Sequence[Rows], pixels: Iterator[tuple[Tensor, Tensor | None]]
    ) -> Iterator[tuple[Tensor, Tensor | None]]:
        """The same, while one thread compares rows with the store as they are first read."""
        if self._check is None or self._check.complete:
            yield from pixels
            return
        with ThreadPoolExecutor(1, "teachonce-datacheck") as pool:
            waiting: list[Future[None]] = []
            for rows in batches:
                waiting.append(pool.submit(self._check.check, rows))
                if len(waiting) > 2:
                    waiting.pop(0).result()
                yield next(pixels)
            for future in waiting:
                future.result()


# of these `map` is made, since a generator would keep its variables until its next turn
def _without_teacher(drawn: tuple[Tensor, ...]) -> tuple[Tensor, None]:
    return drawn[0], None


def _both(student: tuple[Tensor, ...], teacher: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    return student[0], teacher[0]


def cut(rows: Rows, batch_size: int, *, drop_last: bool) -> list[Rows]:
    """Rows in batches; a smaller last one is dropped where it would not be the only one."""
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    if drop_last and len(batches) > 1 and len(batches[-1]) < batch_size:
        batches.pop()
    return batches

"""Targets from the teacher itself, run on every batch: the comparator, and the way without a store."""

from collections.abc import Iterable
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachonce.engine.device import Autocast
from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.errors import InputError
from teachonce.methods.targets import Needs, Targets
from teachonce.models.teacher import Signal, Teacher
from teachonce.types import ArraySpec, TargetSpec

Rows = NDArray[np.int64]


class LiveTargets(TargetSource):
    """Runs the teacher on the view that the store would hold, at the teacher's own resolution.

    Args:
        teacher: On the device.
        needs: What the method needs; where that is class means only, the teacher does not run in steps.
        rows: Samples the data has.
        views: Views each of them has.
        class_mean: (C, D) float32 on the device, where the method needs it; see `live_class_means`.
        dtype: Cast what varies by sample to this, as a store of that dtype would; None: as the teacher gives it.
        autocast: The context of the forward: the student's for float32 weights, none for others.

    Raises:
        InputError: The method needs logits, and the teacher has none.
    """

    def __init__(
        self,
        teacher: Teacher,
        needs: Needs,
        *,
        rows: int,
        views: int = 1,
        class_mean: Tensor | None = None,
        dtype: torch.dtype | None = None,
        autocast: Autocast = nullcontext,
    ) -> None:
        info = teacher.info
        if needs.logits and info.classes is None:
            mend = "Use a classifier as the teacher, or a method that needs embeddings: clip-embed-kd, clip-teacher-kd"
            raise InputError(f"the method needs logits, and the teacher {info.name} has none", mend)
        self._needs, self._dtype, self._autocast = needs, dtype, autocast
        self.spec = live_spec(teacher, rows, views)
        runs = needs.image_embedding or needs.logits
        self._teacher = teacher if runs else None  # its memory is free again where means are all that is needed
        self.networks = (teacher,) if runs else ()
        self.input = info.input if runs else None
        self._class_mean = class_mean

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None) -> Targets:
        """See TargetSource.fetch."""
        if self._teacher is None:
            return Targets(class_mean=self._class_mean)
        assert images is not None
        signal = forward(self._teacher, images, self._autocast)
        return Targets(
            image_embedding=self._own(signal.embedding) if self._needs.image_embedding else None,
            logits=self._own(signal.logits) if self._needs.logits else None,
            class_mean=self._class_mean,
        )

    def _own(self, value: Tensor | None) -> Tensor:
        """A plain tensor: one made in inference mode cannot be saved for a backward pass."""
        assert value is not None
        return value.clone() if self._dtype is None else value.to(self._dtype, copy=True)


def forward(teacher: Teacher, images: Tensor, autocast: Autocast = nullcontext) -> Signal:
    """The teacher's signal for (B, 3, h, w) float32 images."""
    with torch.inference_mode(), autocast():
        signal: Signal = teacher(images)
    return signal


def live_spec(teacher: Teacher, rows: int, views: int) -> TargetSpec:
    """What a live teacher offers, in the words of a store."""
    info = teacher.info
    arrays = {"image_embedding": ArraySpec(shape=(rows, views, info.embedding_dim), dtype="float32")}
    if info.classes is not None:
        arrays["logits"] = ArraySpec(shape=(rows, views, info.classes), dtype="float32")
    return TargetSpec(
        name="live",
        rows=rows,
        views=views,
        embedding_dim=info.embedding_dim,
        classes=info.classes,
        class_names=info.class_names,
        arrays=arrays,
    )


def live_class_means(
    teacher: Teacher,
    batches: Iterable[tuple[Rows, Tensor]],
    labels: NDArray[np.int32],
    classes: int,
    *,
    dtype: torch.dtype | None = None,
    autocast: Autocast = nullcontext,
) -> Tensor:
    """The mean embedding of each class, as a seal computes it from stored rows: row order, float64 sums.

    Args:
        teacher: On the device of the images.
        batches: Rows in ascending order, with their images of view 0.
        labels: (N,) int32.
        classes: C.
        dtype: Cast the embeddings to this first, as a store of that dtype would; None: as the teacher gives them.
        autocast: The context of the forward.

    Returns:
        (C, D) float32 on the CPU; NaN where a class has no row.
    """
    total = np.zeros((classes, teacher.info.embedding_dim), np.float64)
    count = np.zeros(classes, np.int64)
    for rows, images in batches:
        embedding = forward(teacher, images, autocast).embedding
        kept = embedding if dtype is None else embedding.to(dtype)
        np.add.at(total, labels[rows], kept.double().cpu().numpy())
        np.add.at(count, labels[rows], 1)
    mean = np.full_like(total, np.nan)
    np.divide(total, count[:, None], out=mean, where=count[:, None] > 0)
    return torch.from_numpy(mean.astype(np.float32))

"""Targets from the teacher itself, run on every batch: the comparator, and the way without a store."""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachonce.engine.device import Autocast
from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.errors import InputError
from teachonce.methods.targets import Place, Targets
from teachonce.models.rdm import RdmStack
from teachonce.models.teacher import Signals, Teacher
from teachonce.signals import SIGNALS, Needs, member, of_rows
from teachonce.types import ArraySpec, TargetSpec

Rows = NDArray[np.int64]


class LiveTargets(TargetSource):
    """Runs the teacher on the view that the store would hold, at the teacher's own resolution, and RDMs behind it.

    An RDM rounds, so it is a function of the embedding *as stored*: the live one is cast to that dtype first.

    Args:
        teacher: On the device.
        spec: What it offers, see `live_spec`.
        reads: Target -> the signals that the method needs of it, the teacher's first. Where no signal is of rows, the
            teacher does not run in steps.
        class_mean: (C, D) float32 on the device, where the method needs it; see `live_class_means`.
        rdms: Name -> the RDM alone in its stack, on the device, in eval mode.
        stored: The dtype of the stored embeddings, which the RDMs take.
        dtype: Cast what varies by sample to this, as a store of that dtype would; None: as the teacher gives it.
        autocast: The context of the teacher's forward: the student's for float32 weights, none for others.

    Raises:
        InputError: The method needs a signal that the teacher has not.
    """

    def __init__(
        self,
        teacher: Teacher,
        spec: TargetSpec,
        reads: Mapping[str, Needs],
        *,
        class_mean: Tensor | None = None,
        rdms: Mapping[str, RdmStack] = MappingProxyType({}),
        stored: torch.dtype = torch.float32,
        dtype: torch.dtype | None = None,
        autocast: Autocast = nullcontext,
    ) -> None:
        self._main, *extras = reads
        _check_signals(teacher, reads[self._main])
        self._reads, self._stored, self._dtype, self._autocast = reads, stored, dtype, autocast
        self.specs = {self._main: spec} | {name: rdm_spec(name, rdms[name], spec) for name in extras}
        runs = bool(of_rows(reads[self._main]) or extras)
        self._teacher = teacher if runs else None  # its memory is free again where means are all that is needed
        self._rdms = {name: rdms[name] for name in extras}
        self.networks = (teacher, *self._rdms.values()) if runs else ()
        self.input = teacher.info.input if runs else None
        mean = member(reads[self._main], "class_mean")
        self._constant = {(self._main, mean): class_mean} if mean is not None and class_mean is not None else {}

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None) -> Targets:
        """See TargetSource.fetch."""
        given: dict[Place, Tensor] = {}
        if self._teacher is not None:
            assert images is not None
            signals = forward(self._teacher, images, self._autocast)
            given |= self._taken(self._main, signals)
            if self._rdms:
                given |= self._of_rdms(signals["image_embedding"].to(self._dtype or torch.float32))
        return Targets(self._main, given | self._constant)

    @torch.no_grad()
    def _of_rdms(self, embedding: Tensor) -> dict[Place, Tensor]:
        seen = embedding.to(self._stored).float()
        given: dict[Place, Tensor] = {}
        for name, rdm in self._rdms.items():
            given |= self._taken(name, {signal: value[0] for signal, value in rdm.outputs(seen).items()})
        return given

    def _taken(self, target: str, signals: Mapping[str, Tensor]) -> dict[Place, Tensor]:
        """Plain tensors of what is needed: those made in inference mode cannot be saved for a backward pass."""
        return {
            (target, name): signals[name].to(self._dtype or signals[name].dtype, copy=True)
            for name in of_rows(self._reads[target])
        }


def _check_signals(teacher: Teacher, needs: Needs) -> None:
    for name in of_rows(needs):
        if name not in teacher.widths():
            mend = (
                "Use a teacher that has them, such as a classifier, or a method that needs embeddings: clip-teacher-kd"
            )
            raise InputError(
                f"the method needs {SIGNALS[name].text}, and the teacher {teacher.info.name} has none", mend
            )


def forward(teacher: Teacher, images: Tensor, autocast: Autocast = nullcontext) -> Signals:
    """The teacher's signals for (B, 3, h, w) float32 images."""
    with torch.inference_mode(), autocast():
        signals: Signals = teacher(images)
    return signals


def live_spec(teacher: Teacher, rows: int, views: int) -> TargetSpec:
    """What a live teacher offers, in the words of a store."""
    return TargetSpec(
        name="live",
        rows=rows,
        views=views,
        class_names=teacher.info.class_names,
        arrays=_arrays(teacher.widths(), rows, views),
    )


def rdm_spec(name: str, rdm: RdmStack, teacher: TargetSpec) -> TargetSpec:
    """What an RDM offers, in the words of a store."""
    return replace(teacher, name=name, arrays=_arrays(rdm.spec.widths, teacher.rows, teacher.views))


def _arrays(widths: Mapping[str, int], rows: int, views: int) -> dict[str, ArraySpec]:
    return {name: ArraySpec(shape=(rows, views, width), dtype="float32") for name, width in widths.items()}


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
        embedding = forward(teacher, images, autocast)["image_embedding"]
        kept = embedding if dtype is None else embedding.to(dtype)
        np.add.at(total, labels[rows], kept.double().cpu().numpy())
        np.add.at(count, labels[rows], 1)
    mean = np.full_like(total, np.nan)
    np.divide(total, count[:, None], out=mean, where=count[:, None] > 0)
    return torch.from_numpy(mean.astype(np.float32))

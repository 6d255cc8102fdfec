"""Accuracy and loss of a student over batches."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from teachonce.engine.device import Autocast
from teachonce.engine.feed import Batch
from teachonce.models.student import Student
from teachonce.processwide import evaluating


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a student got right."""

    rows: int
    top1: float
    """Share in [0, 1]."""
    top5: float
    """Share of rows whose class is among the five most likely, or among all where there are fewer."""
    loss: float
    """Mean cross-entropy in nats."""
    class_rows: list[int]
    class_top1: list[float | None]
    """None where a class has no row."""
    correct: NDArray[np.bool_]
    """(rows,), in the order of the batches: whether the most likely class is the label."""


def score(student: Student, batches: Iterable[Batch], autocast: Autocast) -> Scores:
    """Score a student in eval mode; it is put back into the mode it had. The device is read once, at the end.

    Args:
        student: On the device.
        batches: At least one.
        autocast: The context of the forward.
    """
    with evaluating(student), torch.inference_mode():
        counts = [_count(student, batch, autocast) for batch in batches]
        logits, labels, losses = (torch.cat(part) for part in zip(*counts, strict=True))
    return _scores(student.classes, logits, labels, losses)


def _count(student: Student, batch: Batch, autocast: Autocast) -> tuple[Tensor, Tensor, Tensor]:
    """The five most likely classes (B, 5), the labels (B,) and the losses (B,)."""
    labels = batch.inputs["label"]
    with autocast():
        logits = student.outputs(batch.inputs)["logits"].float()
    best = logits.topk(min(5, logits.shape[1]), dim=1).indices
    return best, labels, F.cross_entropy(logits, labels, reduction="none")


def _scores(classes: int, best: Tensor, labels: Tensor, losses: Tensor) -> Scores:
    hits = (best == labels[:, None]).cpu()
    labels, first = labels.cpu(), hits[:, 0]
    rows = torch.bincount(labels, minlength=classes).tolist()
    right = torch.bincount(labels[first], minlength=classes).tolist()
    return Scores(
        rows=len(labels),
        top1=float(first.double().mean()),
        top5=float(hits.any(1).double().mean()),
        loss=float(losses.double().mean()),
        class_rows=rows,
        correct=first.numpy(),
        class_top1=[hit / count if count else None for hit, count in zip(right, rows, strict=True)],
    )

"""What a student is validated by after each epoch, which also says which epoch is the best."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch

from teachonce.engine.feed import Feed, Rows, cut
from teachonce.engine.score import score
from teachonce.engine.step import Stepper

_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Validated:
    """What one validation found."""

    loss: float
    """In nats."""
    top1: float | None = None
    """Share in [0, 1]; None without labels."""

    @property
    def rank(self) -> tuple[float, float] | tuple[float]:
        """The higher, the better: top-1, of equals the lower loss; without labels the loss."""
        return (-self.loss,) if self.top1 is None else (self.top1, -self.loss)


class Validation(ABC):
    """A validation on some rows.

    Args:
        feed: Gives their batches.
        rows: At least one.
    """

    def __init__(self, feed: Feed, rows: Rows) -> None:
        self.feed, self.rows = feed, rows

    @abstractmethod
    def __call__(self, stepper: Stepper) -> Validated:
        """Validate the student as it is; the device is read once, at the end."""


class Accuracy(Validation):
    """Top-1 and cross-entropy with the labels, in the evaluation view. Each row has a label."""

    def __call__(self, stepper: Stepper) -> Validated:
        """See Validation."""
        batches = self.feed.batches(cut(self.rows, _BATCH, drop_last=False), None)
        scores = score(stepper.student, batches, stepper.autocast)
        return Validated(loss=scores.loss, top1=scores.top1)


class OwnLoss(Validation):
    """The method's own loss, without noise or dropout, in the view of the first epoch: for data without labels."""

    def __call__(self, stepper: Stepper) -> Validated:
        """See Validation."""
        batches, view = cut(self.rows, _BATCH, drop_last=False), self.feed.views.view(0)
        stepper.source.plan(batches, view)
        with stepper.evaluated(), torch.inference_mode():
            losses = [
                stepper.losses(batch, view, noise=None)[1] * len(batch.rows.host)
                for batch in self.feed.batches(batches, 0)
            ]
            return Validated(loss=float(torch.stack(losses).double().sum()) / len(self.rows))


def validation(feed: Feed, rows: Rows, labels: np.ndarray | None) -> Validation | None:
    """Of the rows that have a label, if some do; else by the method's own loss. None without rows.

    Args:
        feed: Gives their batches.
        rows: To validate on.
        labels: (N,) of all rows, -1 for none; None where the data has none.
    """
    labelled = rows[:0] if labels is None else rows[labels[rows] >= 0]
    if len(labelled):
        return Accuracy(feed, labelled)
    return OwnLoss(feed, rows) if len(rows) else None

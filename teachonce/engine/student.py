"""A student as the loop trains it: its batches, a step with a method, a validation on rows that are held out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import torch
from torch import Tensor

from teachonce.engine import checkpoint
from teachonce.engine.feed import Batch, Feed
from teachonce.engine.loop import Passed, Rows, Trainer
from teachonce.engine.losslog import MEND
from teachonce.engine.records import Epoch, Progress
from teachonce.engine.step import Stepper
from teachonce.engine.targets import TargetSource
from teachonce.engine.validation import Validated, Validation
from teachonce.errors import NonFiniteError
from teachonce.events import SILENT, Events, Task
from teachonce.fsio import read_text
from teachonce.models.students import save_student
from teachonce.records import to_json
from teachonce.types import EvalView


@dataclass(frozen=True, kw_only=True)
class Best:
    """Where the best student is saved, and what goes with it."""

    folder: Path
    class_names: tuple[str, ...] | None = None
    view: EvalView | None = None
    """The evaluation view, for the image processor that goes with a saved student."""


class StudentTrainer(Trainer[Batch, Epoch, Progress]):
    """Trains a student. The best epoch is the one of the highest rank of the validation; without one it is the last.

    Args:
        stepper: What trains.
        feed: Gives the batches.
        validation: What tells how good it is after each epoch; None without rows for it.
        best: Where the best student goes.
        events: Who watches.
    """

    line, state, kept = Epoch, Progress, ("model", "method", "optimizer")

    def __init__(
        self, stepper: Stepper, feed: Feed, *, validation: Validation | None, best: Best, events: Events = SILENT
    ) -> None:
        self.stepper, self.feed, self.validation, self.best, self.events = stepper, feed, validation, best, events
        self.title, self.terms, self.device = stepper.method.name, list(stepper.method.weights), feed.device
        self.progress = Progress()
        self._failed = feed.failed

    @property
    def source(self) -> TargetSource:  # type: ignore[override]
        """That of the stepper: a measurement may put another in its place."""
        return self.stepper.source

    def batches(self, rows: list[Rows], epoch: int) -> Iterable[Batch]:
        """See Trainer.batches."""
        return self.feed.batches(rows, epoch)

    def view(self, epoch: int) -> int:
        """See Trainer.view."""
        return self.feed.views.view(epoch)

    def step(self, batch: Batch, view: int, done: int) -> Tensor:
        """See Trainer.step."""
        terms, loss = self.stepper.step(batch, view)
        with torch.no_grad():
            return torch.stack([*(terms[name] for name in self.terms), loss])

    def validated(self, passed: Passed, task: Task) -> Epoch:
        """See Trainer.validated."""
        if not self.stepper.finite():
            message = "a weight is NaN or infinite at the end of an epoch; the last good weights are kept"
            raise NonFiniteError(message, MEND)
        found = None if self.validation is None else self.validation(self.stepper)
        if found is not None and not isfinite(found.loss):
            raise NonFiniteError("the validation loss is not finite; the last good weights are kept", MEND)
        top1, loss = (None, None) if found is None else (found.top1, found.loss)
        return Epoch(**vars(passed), lr=self.stepper.rate, val_top1=top1, val_loss=loss)

    def ranked(self, line: Epoch) -> None:
        """See Trainer.ranked."""
        old = self.progress.best
        new = None if line.val_loss is None else Validated(loss=line.val_loss, top1=line.val_top1).rank
        if new is None or old is None or new > old:
            self.progress.best, self.progress.best_epoch = new, line.epoch

    def tensors(self) -> dict[str, checkpoint.Tensors]:
        """See Trainer.tensors."""
        return {
            "model": self.stepper.student.state_dict(),
            "method": self.stepper.method.modules.state_dict(),
            "optimizer": checkpoint.optimizer_tensors(self.stepper.optimizer),
        }

    def load(self, tensors: Mapping[str, checkpoint.Tensors]) -> None:
        """See Trainer.load."""
        self.stepper.student.load_state_dict(tensors["model"])
        self.stepper.method.modules.load_state_dict(tensors["method"])
        checkpoint.load_optimizer(self.stepper.optimizer, tensors["optimizer"])
        self.stepper.done = self.progress.step

    def begun(self, *, resumed: bool) -> None:
        """See Trainer.begun."""
        folder = self.best.folder
        checkpoint.restore(folder)
        kept = read_text(folder / "epoch").strip() if (folder / "epoch").exists() else ""
        if resumed and self.progress.best_epoch == self.progress.epoch and kept != str(self.progress.epoch):
            self._save_best()

    def saved(self, line: Epoch) -> None:
        """See Trainer.saved."""
        if self.progress.best_epoch == line.epoch:
            self._save_best()
        self._warn_failed()
        self.events.epoch(to_json(line))

    def _save_best(self) -> None:
        with checkpoint.replacing(self.best.folder) as folder:
            save_student(self.stepper.student, folder, class_names=self.best.class_names, view=self.best.view)
            (folder / "epoch").write_text(f"{self.progress.best_epoch}\n")

    def _warn_failed(self) -> None:
        """Images that are not kept in memory are decoded first when they are first shown."""
        if self.feed.failed > self._failed:
            count, self._failed = self.feed.failed - self._failed, self.feed.failed
            self.events.warn(
                f"{count} samples could not be decoded and were replaced by black images: remove them from the data"
            )

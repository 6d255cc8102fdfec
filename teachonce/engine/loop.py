"""The one training loop: epochs, validation, metrics, checkpoints. It goes on where a killed run stopped."""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from teachonce.engine import checkpoint
from teachonce.engine.feed import Feed, cut
from teachonce.engine.losslog import MEND, LossLog
from teachonce.engine.metrics import MetricsLog
from teachonce.engine.records import Epoch, Progress
from teachonce.engine.score import score
from teachonce.engine.split import shuffled
from teachonce.engine.step import Stepper
from teachonce.engine.steptime import StepTimer, steady_ms
from teachonce.errors import CorruptError, NonFiniteError
from teachonce.events import SILENT, Events, Task
from teachonce.fsio import disk_errors, read_text
from teachonce.models.students import save_student
from teachonce.processwide import random_state, seed_host, seed_training, set_random_state
from teachonce.records import to_json
from teachonce.types import EvalView

Rows = NDArray[np.int64]
_VAL_BATCH = 256
_PARTS = ("model", "method", "optimizer", "random")


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """What the loop itself needs to know."""

    run: Path
    epochs: int
    batch_size: int
    seed: int
    class_names: tuple[str, ...] | None = None
    view: EvalView | None = None
    """The evaluation view, for the image processor that goes with a saved student."""


class Loop:
    """Trains and keeps what a resume needs: after every epoch the run's folder is whole.

    The best epoch is the one of the highest val_top1, of equals the one of the lowest val_loss; without validation
    rows the last. The last, smaller batch of an epoch is left out unless it is the only one.

    Args:
        config: See LoopConfig.
        stepper: What trains.
        feed: Gives the batches.
        train: Rows to train on.
        val: Rows to validate on; may be empty.
        events: Who watches.
    """

    def __init__(
        self, config: LoopConfig, stepper: Stepper, feed: Feed, *, train: Rows, val: Rows, events: Events = SILENT
    ) -> None:
        self.config, self.stepper, self.feed, self.events = config, stepper, feed, events
        self.train, self.val = train, val
        self.device = feed.device
        self.progress = Progress()
        self.steps = len(cut(train, config.batch_size, drop_last=True))
        self._losses = LossLog(list(stepper.method.weights), self.steps, self.device)
        self._timer = StepTimer(self.device)
        self._failed = feed.failed

    def fit(self) -> list[Epoch]:
        """Train all epochs that are not done yet.

        Returns:
            The metrics of every epoch, also of those done before.

        Raises:
            NonFiniteError: A loss or a weight became NaN or infinite; the checkpoint before that is kept.
            DiskError: A checkpoint could not be written; the one before is kept.
        """
        if not self._resume():
            seed_training(self.config.seed, self.device)
        config, log = self.config, MetricsLog(Epoch, self.config.run, self.progress.epoch)
        try:
            title, total = f"train {self.stepper.method.name}", config.epochs * self.steps
            with self.events.task(title, total=total, done=self.progress.step, unit="steps") as task:
                for epoch in range(self.progress.epoch, config.epochs):
                    seed_host(config.seed, epoch)
                    entry = self._validated(self._epoch(epoch, task))
                    self._keep(epoch, entry, log)
                    self._warn_failed()
                    self.events.epoch(to_json(entry))
            self._settle()
        except CorruptError:
            if self.stepper.source.checks_behind:
                self._set_aside()
            raise
        finally:
            log.close()
            self.stepper.source.close()
        return log.entries

    def _settle(self) -> None:
        """Before anything counts as a result, everything that it rests on is checked."""
        if rows := self.stepper.source.settle():
            self.events.info(
                f"{rows:,} rows were read before their chunks were checked; now all are checked, without an error"
            )

    def _set_aside(self) -> None:
        """Weights that may rest on damaged bytes are moved away, so that the same command begins anew."""
        place = self.config.run / "unchecked"
        shutil.rmtree(place, ignore_errors=True)
        with disk_errors(place):
            for folder in (self._last.parent, self.config.run / "best"):
                if folder.exists():
                    place.mkdir(exist_ok=True)
                    folder.rename(place / folder.name)
        self.events.warn(
            f"weights that may be trained on damaged bytes were moved to {place}; the same command starts again"
        )

    def _epoch(self, epoch: int, task: Task) -> Epoch:
        """Train one epoch (from 0) and say what came of it."""
        stepper, batches = self.stepper, self.batches(epoch)
        view, first = self.feed.views.view(epoch), stepper.done
        stepper.source.plan(batches, view)
        began = time.perf_counter()
        for batch in self.feed.batches(batches, epoch):
            self._timer.mark()
            self._losses.put(*stepper.step(batch, view))
            if self._losses.is_due:
                self._losses.show(task, epoch + 1, first)
        self._timer.mark()
        self._losses.show(task, epoch + 1, first)
        intervals, seconds = self._timer.read(), time.perf_counter() - began
        rows = sum(len(rows) for rows in batches)
        return Epoch(
            epoch=epoch + 1,
            step=stepper.done,
            lr=stepper.rate,
            losses=self._losses.finish(),
            samples_per_s=rows / seconds,
            seconds=seconds,
            step_ms=steady_ms(intervals),
        )

    def batches(self, epoch: int) -> list[Rows]:
        """The rows of each batch of an epoch (from 0), in the order of (seed, epoch)."""
        return cut(shuffled(self.train, self.config.seed, epoch), self.config.batch_size, drop_last=True)

    def _validated(self, entry: Epoch) -> Epoch:
        if not self.stepper.finite():
            message = "a weight is NaN or infinite at the end of an epoch; the last good weights are kept"
            raise NonFiniteError(message, MEND)
        if not len(self.val):
            return entry
        batches = self.feed.batches(cut(self.val, _VAL_BATCH, drop_last=False), None)
        scores = score(self.stepper.student, batches, self.stepper.autocast)
        if not np.isfinite(scores.loss):
            raise NonFiniteError("the validation loss is not finite; the last good weights are kept", MEND)
        return replace(entry, val_top1=scores.top1, val_loss=scores.loss)

    def _keep(self, epoch: int, entry: Epoch, log: MetricsLog[Epoch]) -> None:
        """Metrics, checkpoint, best, in this order: `_resume` drops or mends what a kill left between them."""
        old = self.progress.best
        new = None if entry.val_top1 is None or entry.val_loss is None else (entry.val_top1, -entry.val_loss)
        self.progress.epoch, self.progress.step = epoch + 1, self.stepper.done
        if new is None or old is None or new > old:
            self.progress.best, self.progress.best_epoch = new, epoch + 1
        log.append(entry)
        checkpoint.save_checkpoint(self._last, self._parts(), self.progress)
        if self.progress.best_epoch == epoch + 1:
            self._save_best()

    def _warn_failed(self) -> None:
        """Images that are not kept in memory are decoded first when they are first shown."""
        if self.feed.failed > self._failed:
            count, self._failed = self.feed.failed - self._failed, self.feed.failed
            self.events.warn(
                f"{count} samples could not be decoded and were replaced by black images: remove them from the data"
            )

    def _parts(self) -> dict[str, checkpoint.Tensors]:
        return {
            "model": self.stepper.student.state_dict(),
            "method": self.stepper.method.modules.state_dict(),
            "optimizer": checkpoint.optimizer_tensors(self.stepper.optimizer),
            "random": random_state(self.device),
        }

    @property
    def _last(self) -> Path:
        return self.config.run / "checkpoints" / "last"

    def _save_best(self) -> None:
        with checkpoint.replacing(self.config.run / "best") as folder:
            config = self.config
            save_student(self.stepper.student, folder, class_names=config.class_names, view=config.view)
            (folder / "epoch").write_text(f"{self.progress.best_epoch}\n")

    def _resume(self) -> bool:
        """Go on from the last checkpoint; say whether there is one."""
        found = checkpoint.load_checkpoint(self._last, _PARTS, Progress)
        best = self.config.run / "best"
        checkpoint.restore(best)
        if found is None:
            return False
        parts, self.progress = found
        with checkpoint.fitting(self._last):
            self.stepper.student.load_state_dict(parts["model"])
            self.stepper.method.modules.load_state_dict(parts["method"])
            checkpoint.load_optimizer(self.stepper.optimizer, parts["optimizer"])
            set_random_state(parts["random"], self.device)
        self.stepper.done = self.progress.step
        self.events.info(f"resumes after epoch {self.progress.epoch} of {self.config.epochs}")
        kept = read_text(best / "epoch").strip() if (best / "epoch").exists() else ""
        if self.progress.best_epoch == self.progress.epoch and kept != str(self.progress.epoch):
            self._save_best()  # a kill came between the checkpoint and its copy
        return True

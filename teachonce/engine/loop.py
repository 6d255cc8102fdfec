"""The one training loop: epochs, metrics, checkpoints. It goes on where a killed run stopped.

What is trained, a student or RDMs, is a `Trainer`; nothing here knows what kind of data or network it is.
"""

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from teachonce.engine import checkpoint
from teachonce.engine.feed import cut
from teachonce.engine.losslog import MEND, LossLog
from teachonce.engine.metrics import MetricsLog
from teachonce.engine.records import Epoch, Progress, RdmEpoch, RdmProgress
from teachonce.engine.split import shuffled
from teachonce.engine.steptime import StepTimer, steady_ms
from teachonce.engine.targets import TargetSource
from teachonce.errors import CorruptError
from teachonce.events import SILENT, Events, Task
from teachonce.fsio import disk_errors
from teachonce.processwide import random_state, seed_host, seed_training, set_random_state

Rows = NDArray[np.int64]
Item = TypeVar("Item")
Line = TypeVar("Line", Epoch, RdmEpoch)
State = TypeVar("State", Progress, RdmProgress)


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """What the loop itself needs to know."""

    run: Path
    """The folder of metrics and checkpoints."""
    epochs: int
    batch_size: int
    seed: int
    mend: str = MEND
    """What to do where a loss is not finite."""
    board: bool = True
    """Whether the metrics are written for TensorBoard, too."""


@dataclass(frozen=True, kw_only=True)
class Passed:
    """An epoch that was trained, before it is validated."""

    epoch: int
    """From 1."""
    step: int
    """Steps done at its end."""
    losses: Mapping[str, float]
    """`loss` and `loss_TERM`: means over the steps."""
    seconds: float
    samples_per_s: float
    step_ms: float | None


class Trainer(ABC, Generic[Item, Line, State]):
    """What a loop trains: its batches, its step, its validation, and the tensors that a resume needs.

    Attributes:
        title: What is trained, for the progress.
        terms: The names of what `step` gives, but for the loss.
        device: Where it trains.
        source: Where targets come from.
        progress: How far it is; `load` puts another in its place.
    """

    line: ClassVar[type]
    """Of metrics.jsonl."""
    state: ClassVar[type]
    """Of the checkpoint's state.json."""
    kept: ClassVar[tuple[str, ...]]
    """The names of what `tensors` gives."""
    title: str
    terms: list[str]
    device: torch.device
    source: TargetSource
    progress: State

    @abstractmethod
    def batches(self, rows: list[Rows], epoch: int) -> Iterable[Item]:
        """The batches of these rows, in order."""

    @abstractmethod
    def view(self, epoch: int) -> int:
        """The view of the store that an epoch (from 0) trains on."""

    @abstractmethod
    def step(self, batch: Item, view: int, done: int) -> Tensor:
        """Train on one batch; nothing here waits for the device.

        Args:
            batch: Of `batches`.
            view: Of `view`.
            done: Steps done before it.

        Returns:
            The terms in the order of their names, and the loss after them: (terms + 1,) float32 on the device.
        """

    @abstractmethod
    def validated(self, passed: Passed, task: Task) -> Line:
        """Validate after an epoch.

        Returns:
            Its line of metrics.jsonl.

        Raises:
            NonFiniteError: A weight or the validation loss is NaN or infinite.
        """

    @abstractmethod
    def ranked(self, line: Line) -> None:
        """Compare an epoch with the best; it is kept in `progress`, and in the tensors where these hold the best."""

    @abstractmethod
    def tensors(self) -> dict[str, checkpoint.Tensors]:
        """What a resume needs beside the progress and the state of torch's generators."""

    @abstractmethod
    def load(self, tensors: Mapping[str, checkpoint.Tensors]) -> None:
        """Put back what `tensors` gave; `progress` is that of the checkpoint already."""

    def begun(self, *, resumed: bool) -> None:
        """The loop begins; a kill may have come between a checkpoint and what `saved` does."""

    def saved(self, line: Line) -> None:
        """The checkpoint of an epoch is on the disk."""


class Loop(Generic[Item, Line, State]):
    """Trains and keeps what a resume needs: after every epoch the run's folder is whole.

    The last, smaller batch of an epoch is left out unless it is the only one.

    Args:
        config: See LoopConfig.
        trainer: What trains.
        rows: Rows to train on.
        events: Who watches.
    """

    def __init__(
        self, config: LoopConfig, trainer: Trainer[Item, Line, State], rows: Rows, events: Events = SILENT
    ) -> None:
        self.config, self.events = config, events
        self.trainer: Trainer[Item, Line, State] = trainer
        self.rows, self.device = rows, trainer.device
        self.steps = len(cut(rows, config.batch_size, drop_last=True))
        self._losses = LossLog(trainer.terms, self.steps, self.device, config.mend)
        self._timer = StepTimer(self.device)

    def fit(self) -> list[Line]:
        """Train all epochs that are not done yet.

        Returns:
            The metrics of every epoch, also of those done before.

        Raises:
            NonFiniteError: A loss or a weight became NaN or infinite; the checkpoint before that is kept.
            DiskError: A checkpoint could not be written; the one before is kept.
        """
        if not self._resume():
            seed_training(self.config.seed, self.device)
        config, trainer = self.config, self.trainer
        log: MetricsLog[Line] = MetricsLog(trainer.line, config.run, trainer.progress.epoch, board=config.board)
        try:
            title, total = f"train {trainer.title}", config.epochs * self.steps
            with self.events.task(title, total=total, done=trainer.progress.step, unit="steps") as task:
                for epoch in range(trainer.progress.epoch, config.epochs):
                    seed_host(config.seed, epoch)
                    self._keep(trainer.validated(self._epoch(epoch, task), task), log)
            self._settle()
        except CorruptError:
            if trainer.source.checks_behind:
                self._set_aside()
            raise
        finally:
            log.close()
            trainer.source.close()
        return log.entries

    def _settle(self) -> None:
        """Before anything counts as a result, everything that it rests on is checked."""
        if rows := self.trainer.source.settle():
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

    def _epoch(self, epoch: int, task: Task) -> Passed:
        """Train one epoch (from 0) and say what came of it."""
        trainer, batches = self.trainer, self.batches(epoch)
        view, first = trainer.view(epoch), trainer.progress.step
        trainer.source.plan(batches, view)
        began = time.perf_counter()
        for done, batch in enumerate(trainer.batches(batches, epoch), first):
            self._timer.mark()
            self._losses.put(trainer.step(batch, view, done))
            if self._losses.is_due:
                self._losses.show(task, epoch + 1, first)
        self._timer.mark()
        self._losses.show(task, epoch + 1, first)
        intervals, seconds = self._timer.read(), time.perf_counter() - began
        return Passed(
            epoch=epoch + 1,
            step=first + len(batches),
            losses=self._losses.finish(),
            samples_per_s=sum(len(rows) for rows in batches) / seconds,
            seconds=seconds,
            step_ms=steady_ms(intervals),
        )

    def batches(self, epoch: int) -> list[Rows]:
        """The rows of each batch of an epoch (from 0), in the order of (seed, epoch)."""
        return cut(shuffled(self.rows, self.config.seed, epoch), self.config.batch_size, drop_last=True)

    def _keep(self, line: Line, log: MetricsLog[Line]) -> None:
        """Metrics, then the checkpoint: `MetricsLog` drops what a kill left between them."""
        progress = self.trainer.progress
        progress.epoch, progress.step = line.epoch, line.step or 0
        self.trainer.ranked(line)
        log.append(line)
        tensors = {**self.trainer.tensors(), "random": random_state(self.device)}
        checkpoint.save_checkpoint(self._last, tensors, progress)
        self.trainer.saved(line)

    @property
    def _last(self) -> Path:
        return self.config.run / "checkpoints" / "last"

    def _resume(self) -> bool:
        """Go on from the last checkpoint; say whether there is one."""
        kept = (*self.trainer.kept, "random")
        found: tuple[dict[str, dict[str, Tensor]], State] | None
        found = checkpoint.load_checkpoint(self._last, kept, self.trainer.state)
        if found is not None:
            tensors, self.trainer.progress = found
            with checkpoint.fitting(self._last):
                self.trainer.load(tensors)
                set_random_state(tensors["random"], self.device)
            self.events.info(f"resumes after epoch {self.trainer.progress.epoch} of {self.config.epochs}")
        self.trainer.begun(resumed=found is not None)
        return found is not None

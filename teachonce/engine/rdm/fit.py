"""Training K RDMs as one module from the cache. It goes on where a killed one stopped, on the CPU to the same bytes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path

import torch
from torch import Tensor

from teachonce.data.memory import device_budget
from teachonce.engine import checkpoint
from teachonce.engine.cached import CachedTargets
from teachonce.engine.feed import cut
from teachonce.engine.losslog import LossLog
from teachonce.engine.metrics import MetricsLog
from teachonce.engine.optim import learning_rate, make_optimizer, set_rate
from teachonce.engine.rdm.job import Job
from teachonce.engine.rdm.measure import Scores, Targeted, measure
from teachonce.engine.rdm.settings import optim_of
from teachonce.engine.records import RdmEpoch, RdmProgress
from teachonce.engine.split import shuffled
from teachonce.engine.targets import BatchRows, on_device
from teachonce.errors import NonFiniteError
from teachonce.events import Events, Task
from teachonce.models.rdm import RdmStack
from teachonce.processwide import random_state, seed_training, set_random_state
from teachonce.signals import needs
from teachonce.types import JsonObject

_PARTS = ("model", "best", "optimizer", "random")
_MEND = "Lower --lr, add --warmup-epochs, or use smaller distortion weights"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """RDMs that are trained."""

    names: list[str]
    stack: RdmStack
    """Each with the weights of its best epoch, in the order of the names; eval mode, on the CPU."""
    best_epoch: Mapping[str, int]
    """From 1."""
    curves: Mapping[str, list[JsonObject]]
    """An entry an epoch; no times."""
    seconds: float
    """Of all epochs, validation not included, also of those before a kill."""


class Fit:
    """Trains RDMs and keeps what a resume needs: after every epoch the folder is whole.

    Their losses are added up, their parameters are disjoint and the optimiser works element by element, so that none
    depends on the others.

    Args:
        job: What is asked for.
        weights: Target to its distortion weight R, of those that are to be trained.
        folder: Where checkpoints and metrics go.
        events: Who watches.
    """

    def __init__(self, job: Job, weights: Mapping[str, float], folder: Path, events: Events) -> None:
        config = job.config
        self.job, self.names, self.folder, self.events = job, list(weights), folder, events
        self.source = CachedTargets(
            job.store,
            {job.parent.name: needs("image_embedding", *["logits"] * job.learnt.kl)},
            device=job.device,
            budget_bytes=device_budget(job.device),
            method="an RDM",
        )
        self.targeted = Targeted(job, self.source, list(weights.values()))
        self.stack = RdmStack(job.spec, len(weights), config.seed).to(job.device).train()
        self.best = {name: value.clone() for name, value in self.stack.state_dict().items()}
        layers = {id(layer.weight) for layer in self.stack.layers}
        self.optim = optim_of(config)
        self.optimizer = make_optimizer(self.optim, [self.stack], lambda parameter: id(parameter) in layers)
        self.steps = len(cut(job.rows.train, config.batch_size, drop_last=True))
        self.progress = RdmProgress()
        self._terms = ["total", *self.targeted.terms]
        names = [f"{name} {term}" for term in self._terms for name in self.names]
        self._losses = LossLog(names, self.steps, job.device, _MEND)

    def run(self) -> Trained:
        """Train all epochs that are not done yet.

        Raises:
            NonFiniteError: A loss became NaN or infinite; the checkpoint before that is kept.
            DiskError: A checkpoint could not be written; the one before is kept.
        """
        epochs = self.job.config.epochs
        if not self._resume():
            seed_training(self.job.config.seed, self.job.device)
        log = MetricsLog(RdmEpoch, self.folder, self.progress.epoch, board=False)
        title = f"train {', '.join(self.names)}"
        try:
            with self.events.task(title, total=epochs * self.steps, done=self.progress.step, unit="steps") as task:
                for epoch in range(self.progress.epoch, epochs):
                    self._keep(epoch, self._epoch(epoch, task), self._validate(task), log)
        finally:
            log.close()
            self.source.close()
        return self._trained(log.entries)

    def _epoch(self, epoch: int, task: Task) -> dict[str, float]:
        """Train one epoch (from 0): its means, and the time it took."""
        config, first = self.job.config, self.progress.step
        rows = shuffled(self.job.rows.train, config.seed, epoch)
        batches, view = cut(rows, config.batch_size, drop_last=True), epoch % self.job.store.spec.views
        self.source.plan(batches, view)
        began = time.perf_counter()
        for done, batch in enumerate(on_device(batches, self.job.device), first):
            self._step(batch, view, done)
            if self._losses.is_due:
                self._losses.show(task, epoch + 1, first)
        self._losses.show(task, epoch + 1, first)
        self.progress.step += len(batches)
        return {"seconds": time.perf_counter() - began, **self._losses.finish()}

    def _step(self, batch: BatchRows, view: int, done: int) -> None:
        """One step of all RDMs; nothing here waits for the device."""
        config = self.job.config
        targets = self.source.fetch(batch, view)
        terms = self.targeted.loss(self.stack(targets["image_embedding"]), targets, batch)
        loss = terms["total"].sum()
        loss.backward()  # type: ignore[no-untyped-call]
        self._losses.put_all(torch.cat([*(terms[name] for name in self._terms), loss[None]]))
        set_rate(self.optimizer, learning_rate(self.optim, done, self.steps, config.epochs))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _validate(self, task: Task) -> dict[str, Scores]:
        scores = dict(zip(self.names, measure(self.stack, self.targeted, self.job.rows.val), strict=True))
        for name, score in scores.items():
            if not isfinite(score.val_loss):
                epoch = self.progress.epoch + 1
                message = f"the validation loss of {name} is not finite after epoch {epoch} (step {self.progress.step})"
                raise NonFiniteError(f"{message}; the last good weights are kept", _MEND)
        task.note("; ".join(f"{name} {_short(score)}" for name, score in scores.items()))
        return scores

    def _keep(
        self, epoch: int, means: Mapping[str, float], scores: Mapping[str, Scores], log: MetricsLog[RdmEpoch]
    ) -> None:
        """Best, metrics, checkpoint, in this order: `MetricsLog` drops what a kill left before the checkpoint."""
        self.progress.epoch = epoch + 1
        for index, (name, score) in enumerate(scores.items()):
            rank = score.rank(self.job.config.select)
            if name not in self.progress.best or rank > self.progress.best[name]:
                self.progress.best[name], self.progress.best_epoch[name] = rank, epoch + 1
                for key, value in self.stack.state_dict().items():
                    self.best[key][index] = value[index]
        rdms = {name: {**self._means(name, means), **asdict(score)} for name, score in scores.items()}
        log.append(RdmEpoch(epoch=epoch + 1, step=self.progress.step, seconds=means["seconds"], rdms=rdms))
        checkpoint.save_checkpoint(self._last, self._parts(), self.progress)

    def _means(self, name: str, means: Mapping[str, float]) -> dict[str, float]:
        """The losses of one RDM over the epoch: `train_loss` and `train_TERM`, with noise, in nats."""
        labels = {"total": "loss"}
        return {f"train_{labels.get(term, term)}": means[f"loss_{name} {term}"] for term in self._terms}

    def _trained(self, entries: Sequence[RdmEpoch]) -> Trained:
        best = RdmStack(self.job.spec, len(self.names), self.job.config.seed)
        best.load_state_dict(self.best)
        return Trained(
            names=self.names,
            stack=best.eval(),
            best_epoch=self.progress.best_epoch,
            curves={name: [{"epoch": e.epoch, **e.rdms[name]} for e in entries] for name in self.names},
            seconds=sum(entry.seconds or 0.0 for entry in entries),
        )

    @property
    def _last(self) -> Path:
        return self.folder / "checkpoints" / "last"

    def _parts(self) -> dict[str, Mapping[str, Tensor]]:
        return {
            "model": self.stack.state_dict(),
            "best": self.best,
            "optimizer": checkpoint.optimizer_tensors(self.optimizer),
            "random": random_state(self.job.device),
        }

    def _resume(self) -> bool:
        """Go on from the last checkpoint; say whether there is one."""
        found = checkpoint.load_checkpoint(self._last, _PARTS, RdmProgress)
        if found is None:
            return False
        parts, self.progress = found
        with checkpoint.fitting(self._last):
            self.stack.load_state_dict(parts["best"])  # of the same names and shapes
            self.stack.load_state_dict(parts["model"])
            checkpoint.load_optimizer(self.optimizer, parts["optimizer"])
            set_random_state(parts["random"], self.job.device)
        self.best = {name: value.to(self.job.device) for name, value in parts["best"].items()}
        self.events.info(f"resumes after epoch {self.progress.epoch} of {self.job.config.epochs}")
        return True


def _short(score: Scores) -> str:
    top1 = "" if score.val_top1 is None else f", top-1 {100 * score.val_top1:.1f} %"
    return f"{score.bits:.4g} bits{top1}"

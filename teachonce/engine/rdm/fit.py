"""Training K RDMs as one module from the cache. It goes on where a killed one stopped, on the CPU to the same bytes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path

import torch
from torch import Tensor

from teachonce.data.memory import device_budget
from teachonce.engine.cached import CachedTargets
from teachonce.engine.checkpoint import Tensors, load_optimizer, optimizer_tensors
from teachonce.engine.feed import cut
from teachonce.engine.loop import Loop, LoopConfig, Passed, Rows, Trainer
from teachonce.engine.optim import learning_rate, make_optimizer, set_rate
from teachonce.engine.rdm.job import Job
from teachonce.engine.rdm.measure import Scores, Targeted, measure, rank_of
from teachonce.engine.rdm.settings import optim_of
from teachonce.engine.records import RdmEpoch, RdmProgress
from teachonce.engine.targets import BatchRows, on_device
from teachonce.errors import NonFiniteError
from teachonce.events import Events, Task
from teachonce.models.draws import Draws
from teachonce.models.rdm import RdmStack
from teachonce.signals import needs
from teachonce.types import JsonObject

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


class Fit(Trainer[BatchRows, RdmEpoch, RdmProgress]):
    """RDMs as the loop trains them, all in one step.

    Their losses are added up, their parameters are disjoint and the optimiser works element by element, so that none
    depends on the others.

    Args:
        job: What is asked for.
        weights: Target to its distortion weight R, of those that are to be trained.
        folder: Where checkpoints and metrics go.
        events: Who watches.
    """

    line, state, kept = RdmEpoch, RdmProgress, ("model", "best", "optimizer")

    def __init__(self, job: Job, weights: Mapping[str, float], folder: Path, events: Events) -> None:
        config = job.config
        self.job, self.names, self.folder, self.events = job, list(weights), folder, events
        self.device, self.title = job.device, ", ".join(weights)
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
        self.progress, self.draws = RdmProgress(), Draws(config.seed)
        self._terms = ["total", *self.targeted.terms]
        self.terms = [f"{name} {term}" for term in self._terms for name in self.names]

    def run(self) -> Trained:
        """Train all epochs that are not done yet; see `Loop.fit`.

        Raises:
            NonFiniteError: A loss became NaN or infinite; the checkpoint before that is kept.
            DiskError: A checkpoint could not be written; the one before is kept.
        """
        config = self.job.config
        settings = LoopConfig(
            run=self.folder,
            epochs=config.epochs,
            batch_size=config.batch_size,
            seed=config.seed,
            mend=_MEND,
            board=False,
        )
        return self._trained(Loop(settings, self, self.job.rows.train, self.events).fit())

    def batches(self, rows: list[Rows], epoch: int) -> Iterable[BatchRows]:
        """See Trainer.batches."""
        return on_device(rows, self.device)

    def view(self, epoch: int) -> int:
        """See Trainer.view."""
        return epoch % self.job.store.spec.views

    def step(self, batch: BatchRows, view: int, done: int) -> Tensor:
        """See Trainer.step."""
        targets = self.source.fetch(batch, view, None)
        shape = (len(batch.host), self.job.spec.units)
        noise = self.draws.uniform(shape, step=done, purpose="rdm noise", device=self.device)
        terms = self.targeted.loss(self.stack(targets["image_embedding"], noise), targets, batch)
        loss = terms["total"].sum()
        loss.backward()  # type: ignore[no-untyped-call]
        set_rate(self.optimizer, learning_rate(self.optim, done, self.steps, self.job.config.epochs))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return torch.cat([*(terms[name] for name in self._terms), loss[None]]).detach()

    def validated(self, passed: Passed, task: Task) -> RdmEpoch:
        """See Trainer.validated."""
        scores = dict(zip(self.names, measure(self.stack, self.targeted, self.job.rows.val), strict=True))
        for name, score in scores.items():
            if not isfinite(score.val_loss):
                message = f"the validation loss of {name} is not finite after epoch {passed.epoch} (step {passed.step})"
                raise NonFiniteError(f"{message}; the last good weights are kept", _MEND)
        task.note("; ".join(f"{name} {_short(score)}" for name, score in scores.items()))
        rdms = {name: {**self._means(name, passed.losses), **asdict(score)} for name, score in scores.items()}
        return RdmEpoch(epoch=passed.epoch, step=passed.step, seconds=passed.seconds, rdms=rdms)

    def _means(self, name: str, means: Mapping[str, float]) -> dict[str, float]:
        """The losses of one RDM over the epoch: `train_loss` and `train_TERM`, with noise, in nats."""
        labels = {"total": "loss"}
        return {f"train_{labels.get(term, term)}": means[f"loss_{name} {term}"] for term in self._terms}

    def ranked(self, line: RdmEpoch) -> None:
        """See Trainer.ranked: each RDM has its own best epoch."""
        for index, name in enumerate(self.names):
            rank = rank_of(line.rdms[name], self.job.config.select)
            if name not in self.progress.best or rank > self.progress.best[name]:
                self.progress.best[name], self.progress.best_epoch[name] = rank, line.epoch
                for key, value in self.stack.state_dict().items():
                    self.best[key][index] = value[index]

    def tensors(self) -> dict[str, Tensors]:
        """See Trainer.tensors."""
        optimizer = optimizer_tensors(self.optimizer)
        return {"model": self.stack.state_dict(), "best": self.best, "optimizer": optimizer}

    def load(self, tensors: Mapping[str, Tensors]) -> None:
        """See Trainer.load."""
        self.stack.load_state_dict(tensors["best"])  # of the same names and shapes
        self.stack.load_state_dict(tensors["model"])
        load_optimizer(self.optimizer, tensors["optimizer"])
        self.best = {name: value.to(self.device) for name, value in tensors["best"].items()}

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


def _short(score: Scores) -> str:
    top1 = "" if score.val_top1 is None else f", top-1 {100 * score.val_top1:.1f} %"
    return f"{score.bits:.4g} bits{top1}"

"""The search of one variant as a study of Optuna's: which trial is next, whether one is pruned, which is the best.

Proposals are those of the tree-structured Parzen estimator (TPE; Bergstra et al., 2011), pruning is asynchronous
successive halving (ASHA; Li et al., MLSys 2020): after `min_epochs`, and each time after `reduction_factor` times as
many, a trial goes on only if it is in the best 1/`reduction_factor` of those that came as far.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from teachonce.digests import digest_bytes, digest_hex
from teachonce.fsio import json_bytes
from teachonce.pipeline.steps import Step
from teachonce.pipeline.tables import TuneTable
from teachonce.pipeline.tune.dims import Choice, Dim, Span, Value
from teachonce.pipeline.tune.halving import Halving
from teachonce.pipeline.tune.journal import quiet
from teachonce.pipeline.tune.space import Space, trial_step
from teachonce.pipeline.tune.variants import Variant


@dataclass(frozen=True)
class Running:
    """A trial at work.

    Attributes:
        step: Its training.
        values: What is searched -> its value here.
    """

    trial: Trial
    step: Step
    values: Mapping[str, Value]

    @property
    def number(self) -> int:
        """From 0."""
        return self.trial.number


class Search:
    """One variant's search. Not for several threads at once.

    Args:
        storage: The journal.
        variant: What is searched for.
        space: Where.
        step: The variant's training with the recipe's own values.
        tune: How.
        folder: Of the trials of all variants.
        identity: What tells the variant's training from others.
    """

    def __init__(
        self,
        storage: BaseStorage,
        variant: Variant,
        space: Space,
        step: Step,
        tune: TuneTable,
        folder: Path,
        identity: Mapping[str, Any],
    ) -> None:
        self.variant, self.space, self.step, self.tune = variant, space, step, tune
        self.epochs = variant.options.epochs
        self.rungs_from = tune.min_epochs or default_min_epochs(self.epochs)
        about = self._about(identity)
        self.name = f"{variant.name}-{digest_hex(json_bytes(about))[:8]}"
        self.folder = folder / self.name
        self._at_work: set[int] = set()
        with quiet():
            self.others = _studies_of(storage, variant.name) - {self.name}
            self._study = self._open(storage, about)

    def _about(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """What makes it another search: with more trials it is the same one."""
        how = {"metric": self.tune.metric, "min_epochs": self.rungs_from, "seed": self.tune.seed}
        how["reduction_factor"] = self.tune.reduction_factor
        about = {"variant": self.variant.name, "training": identity, "space": self.space.to_json(), "how": how}
        return dict(json.loads(json.dumps({**about, "start": self.space.start()})))

    def _open(self, storage: BaseStorage, about: Mapping[str, Any]) -> optuna.Study:
        study = optuna.create_study(
            storage=storage,
            study_name=self.name,
            direction="minimize" if self.tune.metric == "val_loss" else "maximize",
            pruner=Halving(self.rungs_from, self.tune.reduction_factor),
            load_if_exists=True,
        )
        if study.user_attrs.get("about") != about:
            study.set_user_attr("variant", self.variant.name)
            study.set_user_attr("about", about)
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(self.space.start())
        return study

    @property
    def trials(self) -> list[FrozenTrial]:
        """Those that were begun, of those that count, in their order."""
        trials = self._study.get_trials(deepcopy=False)[: self.tune.trials]
        return [trial for trial in trials if trial.state != TrialState.WAITING]

    @property
    def over(self) -> list[FrozenTrial]:
        """Those that are over."""
        return [trial for trial in self.trials if trial.state.is_finished()]

    def next(self) -> Running | None:
        """The next trial to work on: first those that a kill interrupted; None where all are over or at work."""
        with quiet():
            trials = self.trials
            left = [t for t in trials if t.state == TrialState.RUNNING and t.number not in self._at_work]
            if not left and len(trials) >= self.tune.trials:
                return None
            number = left[0].number if left else len(trials)
            self._study.sampler = self._sampler(number)
            trial = Trial(self._study, left[0]._trial_id) if left else self._study.ask()
            for name, dim in self.space.dims.items():
                _suggest(trial, name, dim)
        values = self.values(trial.params)
        self._at_work.add(trial.number)
        return Running(trial, trial_step(self.step, values, self.run(trial.number)), values)

    def values(self, params: Mapping[str, Any]) -> dict[str, Value]:
        """What a trial trains with: what was proposed, with four digits; the recipe's own values as they are."""
        start = self.space.start()
        return {
            name: dim.nearest(float(f"{params[name]:.4g}"))
            if isinstance(dim, Span) and params[name] != start[name]
            else params[name]
            for name, dim in self.space.dims.items()
        }

    def _sampler(self, number: int) -> TPESampler:
        """Seeded for each trial, so that a search that goes on proposes what it would have proposed."""
        seed = digest_bytes(f"{self.tune.seed} {self.name} {number}".encode()) % 2**32
        return TPESampler(
            seed=seed, n_startup_trials=max(2, min(10, self.tune.trials // 2)), multivariate=True, constant_liar=True
        )

    def run(self, number: int) -> Path:
        """The run folder of a trial."""
        return self.folder / f"trial-{number:04d}"

    def report(self, running: Running, entry: Mapping[str, Any]) -> bool:
        """Take the metrics of an epoch; whether the trial is pruned after it.

        Epochs that were reported before a kill come again; only of the last it is not known that it was judged.
        """
        epoch, trial = int(entry["epoch"]), running.trial
        with quiet():
            known = self._frozen(running).last_step or 0
            if epoch > known:
                trial.report(float(entry[self.tune.metric]), epoch)
            return known <= epoch < self.epochs and trial.should_prune()

    def finish(self, running: Running, *, pruned: bool = False, error: str | None = None) -> FrozenTrial:
        """End a trial: complete with its best epoch's value, pruned, or failed with what went wrong."""
        with quiet():
            if error is not None:
                running.trial.set_user_attr("error", error)
                frozen = self._study.tell(running.trial, state=TrialState.FAIL)
            elif pruned:
                frozen = self._study.tell(running.trial, state=TrialState.PRUNED)
            else:
                frozen = self._study.tell(running.trial, self._best_of(self._frozen(running)))
        self._at_work.discard(running.number)
        return frozen

    def best(self) -> FrozenTrial | None:
        """The best trial of those that came to their end, of equals the first; None where none did."""
        complete = [trial for trial in self.trials if trial.state == TrialState.COMPLETE]
        sign = -1.0 if self.tune.metric == "val_loss" else 1.0
        return max(complete, key=lambda trial: sign * float(trial.value or 0.0), default=None)

    def _frozen(self, running: Running) -> FrozenTrial:
        return next(trial for trial in self.trials if trial.number == running.number)

    def _best_of(self, trial: FrozenTrial) -> float:
        values = trial.intermediate_values.values()
        return min(values) if self.tune.metric == "val_loss" else max(values)


def default_min_epochs(epochs: int) -> int:
    """A quarter of the epochs, rounded up."""
    return -(-epochs // 4)


def _studies_of(storage: BaseStorage, variant: str) -> set[str]:
    studies = storage.get_all_studies()
    return {study.study_name for study in studies if study.user_attrs.get("variant") == variant}


def _suggest(trial: Trial, name: str, dim: Dim) -> None:
    if isinstance(dim, Choice):
        trial.suggest_categorical(name, dim.values)
    else:
        trial.suggest_float(name, dim.low, dim.high, log=dim.log)

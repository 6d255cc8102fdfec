"""The search of one variant as a study of Optuna's.

Proposals are those of the tree-structured Parzen estimator (TPE; Bergstra et al., 2011), pruning is asynchronous
successive halving (ASHA; Li et al., MLSys 2020): after `min_epochs`, and each time after `reduction_factor` times as
many, a trial goes on only if it is in the best 1/`reduction_factor` of those that came as far.
"""

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import optuna
from optuna.pruners import SuccessiveHalvingPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from teachonce.digests import digest_bytes, digest_hex
from teachonce.fsio import json_bytes
from teachonce.pipeline.steps import Step
from teachonce.pipeline.tables import TuneTable
from teachonce.pipeline.tune.results import VariantResult
from teachonce.pipeline.tune.space import Space
from teachonce.pipeline.tune.variants import Variant


class Search:
    """One variant's search; without a trial until it is opened.

    Args:
        variant: What is searched for.
        step: Its training with the recipe's own values.
        space: Where.
        tune: How.

    Attributes:
        pick: Of several values of the metric the best.
        name: Of the study, and of the folder of its trials; None before it is opened.
    """

    def __init__(self, variant: Variant, step: Step, space: Space, tune: TuneTable) -> None:
        self.variant, self.step, self.space, self.tune = variant, step, space, tune
        self.epochs = variant.options.epochs
        self.pick = min if tune.metric == "val_loss" else max
        self.name: str | None = None
        self._min_epochs = tune.min_epochs or -(-self.epochs // 4)
        self._study: optuna.Study | None = None  # when it is opened

    def open(self, storage: BaseStorage, folder: Path, identity: Mapping[str, Any]) -> Set[str]:
        """Begin the search, or go on with it: trials that a kill interrupted wait for it, the recipe's values first.

        Args:
            storage: The journal.
            folder: Of the trials of all variants.
            identity: What tells the variant's training from others.

        Returns:
            Earlier searches for the same variant, of other settings, where this one is new.
        """
        about = self._about(identity)
        self.name = f"{self.variant.name}-{digest_hex(json_bytes(about))[:8]}"
        self._storage, self.folder = storage, folder / self.name
        direction = StudyDirection.MINIMIZE if self.tune.metric == "val_loss" else StudyDirection.MAXIMIZE
        self._study = optuna.create_study(
            storage=storage, study_name=self.name, direction=direction, load_if_exists=True
        )
        trials = self._study.get_trials(deepcopy=False)
        for trial in trials:
            if trial.state == TrialState.RUNNING:
                storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
        if trials:
            return set()
        self._study.set_user_attr("variant", self.variant.name)
        self._study.set_user_attr("about", about)
        self._study.enqueue_trial(self.space.start())
        same = [study for study in storage.get_all_studies() if study.user_attrs.get("variant") == self.variant.name]
        return {study.study_name for study in same} - {self.name}

    def _about(self, identity: Mapping[str, Any]) -> dict[str, Any]:
        """What makes it another search: with more trials it is the same one."""
        how = {"metric": self.tune.metric, "min_epochs": self._min_epochs, "seed": self.tune.seed}
        how["reduction_factor"] = self.tune.reduction_factor
        about = {"variant": self.variant.name, "training": identity, "space": self.space.to_json(), "how": how}
        return {**about, "start": self.space.start()}

    def study(self, number: int) -> optuna.Study:
        """The study, for one trial: its sampler is seeded so that a search that goes on proposes what it would have.

        Args:
            number: Of the trial, from 0.
        """
        seed = digest_bytes(f"{self.tune.seed} {self.name} {number}".encode()) % 2**32
        random = max(2, min(10, self.tune.trials // 2))
        return optuna.load_study(
            storage=self._storage,
            study_name=self.name,
            sampler=TPESampler(seed=seed, n_startup_trials=random, multivariate=True, constant_liar=True),
            pruner=SuccessiveHalvingPruner(self._min_epochs, self.tune.reduction_factor),
        )

    @property
    def over(self) -> list[FrozenTrial]:
        """The trials that are over, of those that count, in their order."""
        trials = [] if self._study is None else self._study.get_trials(deepcopy=False)
        return [trial for trial in trials[: self.tune.trials] if trial.state.is_finished()]

    @property
    def left(self) -> range:
        """The numbers of the trials that are not over."""
        return range(len(self.over), self.tune.trials)

    def best(self) -> FrozenTrial | None:
        """The best trial of those that came to their end, of equals the first; None where none did."""
        complete = [trial for trial in self.over if trial.state == TrialState.COMPLETE]
        return self.pick(complete, key=lambda trial: trial.value or 0.0, default=None)

    def run(self, number: int) -> Path:
        """The run folder of a trial."""
        return self.folder / f"trial-{number:04d}"

    def result(self) -> VariantResult:
        """What the search came to."""
        over, best, options = self.over, self.best(), self.variant.options
        states = [trial.state for trial in over]
        own = next((trial for trial in over if trial.number == 0 and trial.state == TrialState.COMPLETE), None)
        return VariantResult(
            name=self.variant.name,
            method=options.method,
            student=options.student,
            source=options.source,
            seeds=self.variant.seeds,
            space=self.space.to_json(),
            own=self.space.own,
            study=self.name,
            trials=len(over),
            done=states.count(TrialState.COMPLETE),
            pruned=states.count(TrialState.PRUNED),
            failed=states.count(TrialState.FAIL),
            epochs=sum(trial.last_step or 0 for trial in over),
            own_value=None if own is None else own.value,
            best_trial=None if best is None else best.number,
            best_value=None if best is None else best.value,
            values=None if best is None else self.space.values(best.params),
        )

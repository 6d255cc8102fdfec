"""Asynchronous successive halving (ASHA; Li et al., MLSys 2020) by the values that were reported alone."""

import optuna
from optuna.pruners import BasePruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial


class Halving(BasePruner):
    """Prunes at the rungs: after `first` epochs, `first` * `factor`, and so on.

    A trial goes on from a rung if it is in the best 1/`factor` of the trials that were there, or the best of fewer.
    Where every epoch is reported, that is what Optuna's own `SuccessiveHalvingPruner` does; but this one keeps no
    notes in the trials, so that a decision that a kill came in between with is made again.

    Args:
        first: Epochs before the first rung.
        factor: Of which one goes on.
    """

    def __init__(self, first: int, factor: int) -> None:
        self._first, self._factor = first, factor

    def prune(self, study: "optuna.Study", trial: FrozenTrial) -> bool:
        """Whether the trial ends after the epoch that it reported last."""
        epoch = trial.last_step
        if epoch is None or not self._is_rung(epoch):
            return False
        others = study.get_trials(deepcopy=False)
        values = [other.intermediate_values[epoch] for other in others if epoch in other.intermediate_values]
        sign = -1.0 if study.direction == StudyDirection.MINIMIZE else 1.0
        ranked = sorted((sign * value for value in values), reverse=True)
        return sign * trial.intermediate_values[epoch] < ranked[max(1, len(ranked) // self._factor) - 1]

    def _is_rung(self, epoch: int) -> bool:
        rung = self._first
        while rung < epoch:
            rung *= self._factor
        return rung == epoch

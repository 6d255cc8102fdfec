"""The options of an optimiser and of its learning rate."""

from dataclasses import dataclass
from typing import Annotated, Literal

from teachonce.errors import InputError
from teachonce.options.opt import Opt
from teachonce.options.search import Around
from teachonce.options.shared import OPTIMISER

_DECAY = {"adamw": 0.05, "sgd": 5e-4}
_DENSITY_LR = {"adamw": 10.0, "sgd": 1.0}


@dataclass(frozen=True, kw_only=True)
class RateOptions:
    """The learning rate and its schedule."""

    lr: Annotated[
        float, Opt(help="Maximum learning rate.", panel=OPTIMISER, min=0.0, above=0.0, search=Around(5.0))
    ] = 1e-3
    weight_decay: Annotated[
        float | None,
        Opt(help="Weight decay; if absent 0.05 with adamw, 5e-4 with sgd.", panel=OPTIMISER, min=0.0, tells="content"),
    ] = None
    """Never of biases, norms and other parameters of at most one axis."""
    schedule: Annotated[
        Literal["cosine", "milestones", "constant"],
        Opt(help="Schedule of the learning rate.", panel=OPTIMISER),
    ] = "cosine"
    warmup_epochs: Annotated[float, Opt(help="Epochs of linear warm-up, such as 0.5.", panel=OPTIMISER, min=0.0)] = 0.0
    milestones: Annotated[
        tuple[int, ...],
        Opt(
            rare=True,
            help="Epochs after which the learning rate is multiplied by gamma, such as 15,25.",
            panel=OPTIMISER,
        ),
    ] = ()
    gamma: Annotated[
        float, Opt(rare=True, help="Factor of the learning rate at each milestone.", panel=OPTIMISER, above=0.0)
    ] = 0.1
    density_lr: Annotated[
        float | None,
        Opt(
            rare=True,
            help="Learning rate of factorised densities, as a multiple of --lr; set by the optimizer if absent.",
            panel=OPTIMISER,
            above=0.0,
            tells="content",
        ),
    ] = None
    """A density starts some hundred times wider than what it ends as, and AdamW moves a weight by about lr a step: at
    the networks' own rate the reported bits of a bottleneck are mostly the lag of its density."""


@dataclass(frozen=True, kw_only=True)
class OptimOptions(RateOptions):
    """An optimiser."""

    optimizer: Annotated[Literal["adamw", "sgd"], Opt(help="Optimizer.", panel=OPTIMISER)] = "adamw"
    momentum: Annotated[float, Opt(rare=True, help="Of sgd.", panel=OPTIMISER, min=0.0)] = 0.9
    clip_norm: Annotated[
        float | None, Opt(rare=True, help="Maximum norm of the gradient.", panel=OPTIMISER, above=0.0)
    ] = None

    @property
    def density_scale(self) -> float:
        """The learning rate of densities, as a multiple of all others'."""
        return _DENSITY_LR[self.optimizer] if self.density_lr is None else self.density_lr

    @property
    def decay(self) -> float:
        """The weight decay that is used."""
        return _DECAY[self.optimizer] if self.weight_decay is None else self.weight_decay

    @property
    def states(self) -> int:
        """Values that the optimiser keeps for each weight."""
        if self.optimizer == "adamw":
            return 2
        return 1 if self.momentum else 0

    def check_optimiser(self) -> None:
        """Refuse options that cannot be used together.

        Raises:
            InputError: A schedule that lacks what it needs.
        """
        if self.schedule == "milestones" and not self.milestones:
            raise InputError("the schedule is milestones, but none are given", "Add --milestones, for example 15,25")

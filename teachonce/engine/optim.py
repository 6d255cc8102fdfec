"""The optimiser and its learning rate: plain functions of the settings and the step."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from teachonce.errors import InputError
from teachonce.models.density import FactorizedDensity

_DECAY = {"adamw": 0.05, "sgd": 5e-4}
_DENSITY_LR = {"adamw": 10.0, "sgd": 1.0}
_SCALE = "lr_scale"  # a group's own key


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """How weights move."""

    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: float = 1e-3
    """The peak learning rate."""
    weight_decay: float | None = None
    """None: 0.05 with AdamW, 5e-4 with SGD; never on biases, norms and other parameters of at most one axis."""
    momentum: float = 0.9
    """Of SGD."""
    schedule: Literal["cosine", "milestones", "constant"] = "cosine"
    warmup_epochs: float = 0.0
    """Epochs (a fraction is allowed) of linear warmup."""
    milestones: tuple[int, ...] = ()
    """Epochs after which the rate is multiplied by gamma."""
    gamma: float = 0.1
    clip_norm: float | None = None
    """The largest norm of all gradients together; None: no clipping."""
    density_lr: float | None = None
    """Rate of factorised densities, as a multiple of all others'; None: 10 with AdamW, 1 with SGD.

    A density starts some hundred times wider than what it ends as, and AdamW moves a weight by about lr a step: at the
    networks' own rate the bottleneck's reported bits are mostly the density's lag.
    """

    @property
    def density_scale(self) -> float:
        """The multiple that is used."""
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

    def check(self) -> None:
        """Refuse settings that cannot be used.

        Raises:
            InputError: An unknown name, or a number outside its range.
        """
        if self.optimizer not in _DECAY:
            raise InputError(f"unknown optimizer {self.optimizer!r}", "Use adamw or sgd")
        if self.schedule not in ("cosine", "milestones", "constant"):
            raise InputError(f"unknown schedule {self.schedule!r}", "Use cosine, milestones or constant")
        if self.schedule == "milestones" and not self.milestones:
            raise InputError("the schedule is milestones, but none are given", "Add --milestones, for example 15,25")
        positive = {"lr": self.lr, "gamma": self.gamma, "clip_norm": 1.0 if self.clip_norm is None else self.clip_norm}
        positive["density_lr"] = self.density_scale
        for name, value in positive.items():
            if not (value > 0 and math.isfinite(value)):
                raise InputError(f"{name} must be above 0 and finite, got {value}", f"Give another {name}")
        for name, value in {
            "weight_decay": self.decay,
            "momentum": self.momentum,
            "warmup": self.warmup_epochs,
        }.items():
            if not (value >= 0 and math.isfinite(value)):
                raise InputError(f"{name} must be at least 0 and finite, got {value}", f"Give another {name}")


def _has_two_axes(parameter: nn.Parameter) -> bool:
    return parameter.ndim >= 2


def make_optimizer(
    config: OptimConfig, modules: Iterable[nn.Module], decays: Callable[[nn.Parameter], bool] = _has_two_axes
) -> torch.optim.Optimizer:
    """The optimiser over all trainable parameters: those that decay (of two axes or more), others, and densities'."""
    seen: dict[int, nn.Parameter] = {}
    densities: set[int] = set()
    for module in modules:
        seen.update({id(p): p for p in module.parameters() if p.requires_grad})
        found = (part for part in module.modules() if isinstance(part, FactorizedDensity))
        densities.update(id(p) for density in found for p in density.parameters())
    parameters = list(seen.values())
    plain = [p for p in parameters if id(p) not in densities]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in plain if decays(p)], "weight_decay": config.decay},
        {"params": [p for p in plain if not decays(p)], "weight_decay": 0.0},
        {"params": [p for p in parameters if id(p) in densities], "weight_decay": 0.0, _SCALE: config.density_scale},
    ]
    groups = [group for group in groups if group["params"]]
    fused = all(p.is_floating_point() and p.device.type in ("cpu", "cuda") for p in parameters)
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, fused=fused)
    return torch.optim.AdamW(groups, lr=config.lr, fused=fused)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group the rate of the next step, densities their multiple of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(_SCALE, 1.0)


def learning_rate(config: OptimConfig, step: int, steps_per_epoch: int, epochs: int) -> float:
    """The rate of one optimiser step.

    Args:
        config: Peak and schedule.
        step: Steps done before, from 0.
        steps_per_epoch: Steps an epoch has.
        epochs: Epochs of the whole run; the cosine ends at 0 after the last.

    Returns:
        The learning rate.
    """
    warmup = round(config.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return config.lr * (step + 1) / warmup
    if config.schedule == "cosine":
        progress = (step - warmup) / max(1, epochs * steps_per_epoch - warmup)
        return config.lr * 0.5 * (1.0 + math.cos(math.pi * progress))
    if config.schedule == "milestones":
        return config.lr * config.gamma ** sum(step >= epoch * steps_per_epoch for epoch in config.milestones)
    return config.lr

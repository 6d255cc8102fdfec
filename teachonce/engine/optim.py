"""The optimiser and its learning rate: plain functions of the settings and the step."""

import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import torch
from torch import nn

from teachonce.models.density import FactorizedDensity
from teachonce.options.optim import OptimOptions

_SCALE = "lr_scale"  # a group's own key


_Kind = TypeVar("_Kind", bound=torch.optim.Optimizer)
_DECORATED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def _plain(kind: type[_Kind]) -> type[_Kind]:
    """An optimiser whose methods are as they were written, without the decorators that keep torch.compile out.

    Those import torch._dynamo at the first call, which takes about as long as `import torch`, whether or not anything
    is compiled. What is compiled here is the student, and an optimiser is never inside of it.
    """
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _DECORATED}
    step = torch.no_grad()(inspect.unwrap(kind.step))  # as its own decorator does
    plain: Any = type(kind.__name__, (kind,), {**methods, "step": step})
    return cast("type[_Kind]", plain)


def _has_two_axes(parameter: nn.Parameter) -> bool:
    return parameter.ndim >= 2


def make_optimizer(
    config: OptimOptions, modules: Iterable[nn.Module], decays: Callable[[nn.Parameter], bool] = _has_two_axes
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
        return _plain(torch.optim.SGD)(groups, lr=config.lr, momentum=config.momentum, fused=fused)
    return _plain(torch.optim.AdamW)(groups, lr=config.lr, fused=fused)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group the rate of the next step, densities their multiple of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(_SCALE, 1.0)


def learning_rate(config: OptimOptions, step: int, steps_per_epoch: int, epochs: int) -> float:
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

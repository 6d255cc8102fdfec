"""Checks of the options of `rdm` that need to know losses and names, and what its weights depend on."""

from dataclasses import asdict, fields
from typing import Any

from teachonce.engine.rdm.names import named
from teachonce.engine.settings import check_seed
from teachonce.errors import InputError
from teachonce.methods.rate_distortion import RdmLoss
from teachonce.options.identity import values_of
from teachonce.options.optim import OptimOptions, RateOptions
from teachonce.options.rdm import RdmOptions

_REAL = ("temperature", "ce_weight", "kl_weight", "lr", "warmup_epochs", "gamma", "weight_decay", "density_lr")


def loss_of(options: RdmOptions) -> RdmLoss:
    """The losses: the preset's, with what was given in place of its own."""
    return RdmLoss.for_preset(
        options.preset,
        distortion=options.distortion,
        reduction=options.reduction,
        temperature=options.temperature,
        squared_temperature=options.squared_temperature,
        ce_weight=options.ce_weight,
        kl_weight=options.kl_weight,
    )


def optim_of(options: RdmOptions) -> OptimOptions:
    """AdamW at the rate that was asked for."""
    return OptimOptions(**{each.name: getattr(options, each.name) for each in fields(RateOptions)})


def check_rdm(options: RdmOptions) -> None:
    """Refuse what cannot be used, before anything is read.

    Raises:
        InputError: The first such setting.
    """
    _ = named(options.distortion_weight)
    if options.val_fraction <= 0:
        message = f"val_fraction must be above 0 and below 1 (it chooses the epoch), got {options.val_fraction}"
        raise InputError(message, "Use 0.05, for example")
    check_seed(options.seed)
    optim_of(options).check_optimiser()


def training_of(options: RdmOptions) -> dict[str, Any]:
    """What the weights depend on beside layers, distortion weight and parent, as JSON; 2 and 2.0 are one."""
    told = values_of(options)
    optim = optim_of(options)
    told |= {"optimizer": optim.optimizer, "weight_decay": optim.decay, "density_lr": optim.density_scale}
    told |= asdict(loss_of(options))
    return told | {name: float(told[name]) for name in _REAL}

"""All that `rdm` can be told, checked."""

from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any, Literal, get_args

from teachonce.engine.optim import OptimConfig
from teachonce.engine.rdm.names import named
from teachonce.engine.settings import check_seed
from teachonce.errors import InputError
from teachonce.methods.rate_distortion import Kind, RdmLoss, Reduction
from teachonce.models.rdm import Preset
from teachonce.types import StoredDtype

Select = Literal["top1", "loss"]
_REAL = ("temperature", "ce_weight", "kl_weight", "lr", "warmup_epochs", "gamma", "weight_decay", "density_lr")

PLACES = ("store", "device", "repair")
"""Fields of `RdmConfig` that do not tell RDMs apart: where they lie, and what computes them."""
_OF_LAYERS = ("preset", "hidden", "activation")
_TOLD_OTHERWISE = (*PLACES, *_OF_LAYERS, "distortion_weight", "target", "dtype", "optim")
_NOT_OF_RDM = ("momentum", "clip_norm")
"""Settings of the optimiser that `rdm` has no option for; told where they are not the default."""


@dataclass(frozen=True, kw_only=True)
class RdmConfig:
    """One call of `rdm`. Fields are named as the options; see `teachonce.stages.rdm.rdm`."""

    store: Path
    distortion_weight: tuple[float, ...]
    target: str = "teacher"
    preset: Preset = "general"
    hidden: int | None = None
    activation: str = "relu"
    distortion: Kind | None = None
    reduction: Reduction | None = None
    temperature: float = 2.0
    squared_temperature: bool = True
    ce_weight: float = 1.0
    kl_weight: float = 1.0
    epochs: int = 30
    batch_size: int = 256
    optim: OptimConfig = field(default_factory=lambda: OptimConfig(weight_decay=0.0))
    val_fraction: float = 0.05
    select: Select = "loss"
    dtype: StoredDtype | None = None
    seed: int = 0
    device: str | None = None

    @property
    def names(self) -> dict[str, float]:
        """Target to its distortion weight, in the order given."""
        return named(self.distortion_weight)

    @property
    def loss(self) -> RdmLoss:
        """The losses: the preset's, with what was given in place of its own."""
        return RdmLoss.for_preset(
            self.preset,
            distortion=self.distortion,
            reduction=self.reduction,
            temperature=self.temperature,
            squared_temperature=self.squared_temperature,
            ce_weight=self.ce_weight,
            kl_weight=self.kl_weight,
        )

    def check(self) -> None:
        """Refuse what cannot be used, before anything is read.

        Raises:
            InputError: The first such setting.
        """
        _ = self.names
        choices = {"preset": Preset, "select": Select, "distortion": Kind, "reduction": Reduction, "dtype": StoredDtype}
        for name, kind in choices.items():
            value, known = getattr(self, name), get_args(kind)
            if value not in known and (value is not None or name in ("preset", "select")):
                raise InputError(f"unknown {name} {value!r}", f"Use one of {', '.join(known)}")
        for name in ("epochs", "batch_size"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"{name} must be at least 1, got {value}", f"Give another {name}")
        if not 0.0 < self.val_fraction < 1.0:
            message = f"val_fraction must be above 0 and below 1 (it chooses the epoch), got {self.val_fraction}"
            raise InputError(message, "Use 0.05, for example")
        self._check_loss()
        check_seed(self.seed)
        self.optim.check()

    def _check_loss(self) -> None:
        if not (self.temperature > 0 and isfinite(self.temperature)):
            raise InputError(f"temperature must be above 0 and finite, got {self.temperature}", "Use 2, for example")
        for name in ("ce_weight", "kl_weight"):
            if not ((value := getattr(self, name)) >= 0 and isfinite(value)):
                raise InputError(f"{name} must be at least 0 and finite, got {value}", f"Give another {name}")

    def training(self) -> dict[str, Any]:
        """What the weights depend on beside layers, distortion weight and parent, as JSON; 2 and 2.0 are one."""
        told = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in _TOLD_OTHERWISE}
        optim = {**asdict(self.optim), "milestones": list(self.optim.milestones)}
        optim |= {"weight_decay": self.optim.decay, "density_lr": self.optim.density_scale}
        for name in _NOT_OF_RDM:
            if optim[name] == OptimConfig.__dataclass_fields__[name].default:
                del optim[name]
        told |= {**asdict(self.loss), **optim}
        return told | {name: float(told[name]) for name in _REAL}

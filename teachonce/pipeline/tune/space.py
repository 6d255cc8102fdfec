"""The space of one variant: the default ranges, what the recipe says instead, and the values it starts from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from teachonce.engine.settings import check_training, method_of
from teachonce.errors import InputError
from teachonce.methods.settings import unknown_name
from teachonce.options.optim import OptimOptions
from teachonce.options.train import TrainOptions
from teachonce.pipeline.judge import train_options
from teachonce.pipeline.steps import Step
from teachonce.pipeline.tune.dims import Dim, Span, Value


@dataclass(frozen=True)
class Around:
    """A range around the recipe's own value, from 1/factor to factor times it; nothing where that is 0: it is off."""

    factor: float

    def at(self, own: float) -> Span | None:
        """The range, on a logarithmic scale."""
        return Span(own / self.factor, own * self.factor, log=True) if own > 0 else None


_TEMPERATURE = Span(1.0, 10.0, log=True)
# Of the weights of a method one is left as it is: only their ratios count where the learning rate is searched too.
DEFAULTS: Mapping[str, Mapping[str, Span | Around]] = {
    "every method": {"lr": Around(5.0)},
    "kd": {"temperature": _TEMPERATURE, "kd_weight": Around(10.0)},
    "vanilla-kd": {"kd_weight": Around(10.0)},
    "clip-embed-kd": {"clip_weight": Around(10.0)},
    "clip-teacher-kd": {"clip_weight": Around(10.0)},
    "dgkd": {"temperature": _TEMPERATURE, "ce_weight": Span(0.0, 1.0)},
    "cifd": {
        "temperature": _TEMPERATURE,
        "kl_weight": Around(10.0),
        "rdm_weight": Around(10.0),
        "embedding_weight": Around(100.0),
        "rate_weight": Span(1e-4, 1e-1, log=True),
        "kd_dropout": Span(0.0, 0.5),
    },
}
_WITH_RDMS = ("cifd.rdm_weight", "cifd.kd_dropout")  # without RDMs there is nothing to weigh and nothing to drop


@dataclass(frozen=True)
class Space:
    """What is searched.

    Attributes:
        dims: `lr`, or METHOD.NAME -> where it is searched.
        own: The same names -> the recipe's own values.
    """

    dims: Mapping[str, Dim]
    own: Mapping[str, Value]

    def start(self) -> dict[str, Value]:
        """The first trial: the recipe's own values, or what the space has next to them."""
        return {name: dim.nearest(self.own[name]) for name, dim in self.dims.items()}

    def to_json(self) -> dict[str, Any]:
        """As `[tune.space]` has it."""
        return {name: dim.to_json() for name, dim in self.dims.items()}


def space_of(step: Step, given: Mapping[str, Dim]) -> Space:
    """The space of a training.

    Args:
        step: The training with the recipe's own values.
        given: The recipe's `[tune.space]`, checked by `read_space`; what it names replaces the default.

    Raises:
        InputError: A setting that the method has not, or a space that holds a value that cannot be used.
    """
    config = train_options(step)
    own = {**_options(config), **_settings(config)}
    dims: dict[str, Dim] = _defaults(config, own)
    for name, dim in given.items():
        if "." not in name or name.rpartition(".")[0] == config.method:
            _check_name(name, dim, own, config.method)
            dims[name] = dim
    dims = {name: dim for name, dim in dims.items() if _has_effect(name, config)}
    for name, dim in dims.items():
        for value in dim.ends():
            _check_value(step, name, value)
    return Space(dims, {name: own[name] for name in dims})


def trial_step(step: Step, values: Mapping[str, Value], out: Path) -> Step:
    """The training with other values, in a folder of its own."""
    options = {**step.options, "out": str(out)}
    options |= {name: value for name, value in values.items() if "." not in name}
    options["settings"] = {
        **step.options["settings"],
        **{name: value for name, value in values.items() if "." in name},
    }
    return replace(step, options=options)


def _defaults(config: TrainOptions, own: Mapping[str, Value]) -> dict[str, Dim]:
    dims: dict[str, Dim] = {}
    for prefix, table in (("", DEFAULTS["every method"]), (f"{config.method}.", DEFAULTS.get(config.method, {}))):
        for name, rule in table.items():
            dim = _fit(rule, float(own[prefix + name])) if prefix + name in own else None
            if dim is not None:
                dims[prefix + name] = dim
    return dims


def _fit(rule: Span | Around, own: float) -> Span | None:
    """The range, widened where the recipe's own value lies outside; a 0 is no point of a logarithmic scale."""
    if isinstance(rule, Around):
        return rule.at(own)
    if rule.log and own <= 0:
        return None
    return replace(rule, low=min(rule.low, own), high=max(rule.high, own))


def _options(config: TrainOptions) -> dict[str, Value]:
    names = [*(each.name for each in fields(OptimOptions)), "batch_size", "label_smoothing"]
    values = {name: getattr(config, name) for name in names} | {"weight_decay": config.decay}
    return {name: value for name, value in values.items() if isinstance(value, str | int | float)}


def _settings(config: TrainOptions) -> dict[str, Value]:
    return {f"{config.method}.{name}": value for name, value in asdict(method_of(config).settings).items()}


def _has_effect(name: str, config: TrainOptions) -> bool:
    if name == "cifd.rate_weight":
        return bool(getattr(method_of(config).settings, "ibm", True))
    return name not in _WITH_RDMS or bool(config.extras)


def _check_name(name: str, dim: Dim, own: Mapping[str, Value], method: str) -> None:
    if name not in own:
        known = [key.rpartition(".")[2] for key in own if key.startswith(f"{method}.")]
        raise unknown_name(f"[tune.space] method {method} has no setting {name!r}", [name.rpartition(".")[2]], known)
    kind = type(own[name])
    if isinstance(dim, Span) and kind is not float:
        raise InputError(f"[tune.space] {name} is not a fraction, got a range", f"Give a list of choices for {name}")
    allowed: tuple[type, ...] = (int, float) if kind is float else (kind,)
    wrong = [value for value in dim.ends() if type(value) not in allowed]
    if wrong:
        message = f"[tune.space] {name} is {own[name]!r} in the recipe, got {wrong[0]!r} as a choice"
        raise InputError(message, "Give choices of the same kind")


def _check_value(step: Step, name: str, value: Value) -> None:
    try:
        check_training(train_options(trial_step(step, {name: value}, Path(step.options["out"]))))
    except InputError as error:
        raise InputError(f"[tune.space] {name} = {value}: {error.message}", error.mend) from error

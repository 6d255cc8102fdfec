"""The space of one variant: the default ranges, what the recipe says instead, and the values it starts from."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teachonce.engine.settings import check_training, method_of
from teachonce.errors import InputError
from teachonce.methods.settings import unknown_name
from teachonce.options.methods import METHODS, parts_of
from teachonce.options.opt import Value, options_of
from teachonce.options.search import Around, Search, Span
from teachonce.options.train import TrainOptions
from teachonce.pipeline.judge import train_options
from teachonce.pipeline.steps import Step
from teachonce.pipeline.tune.dims import TUNABLE, Dim, ends, nearest

if TYPE_CHECKING:
    from optuna import Trial


def _defaults() -> Iterator[tuple[str, Search]]:
    """What the options of a training and the settings of the methods declare."""
    for name, option in options_of(TrainOptions).items():
        if option.opt.search is not None:
            yield name, option.opt.search
    for method, entry in METHODS.items():
        for name, setting in entry.settings.items():
            if setting.search is not None:
                yield f"{method}.{name}", setting.search


# Of the weights of a method one is left as it is: only their ratios count where the learning rate is searched too.
DEFAULTS: Mapping[str, Search] = dict(_defaults())


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
        return {name: nearest(dim, self.own[name]) for name, dim in self.dims.items()}

    def suggest(self, trial: "Trial") -> dict[str, Value]:
        """What a trial trains with: proposed by Optuna."""
        for name, dim in self.dims.items():
            if isinstance(dim, Span):
                trial.suggest_float(name, **asdict(dim))
            else:
                trial.suggest_categorical(name, dim)
        return self.values(trial.params)

    def values(self, params: Mapping[str, Value]) -> dict[str, Value]:
        """What a trial trains with: what was proposed, with four digits; the recipe's own values as they are."""
        start = self.start()
        return {
            name: nearest(dim, float(f"{params[name]:.4g}"))
            if isinstance(dim, Span) and params[name] != start[name]
            else params[name]
            for name, dim in self.dims.items()
        }

    def to_json(self) -> dict[str, Any]:
        """As `[tune.space]` has it."""
        return {name: asdict(dim) if isinstance(dim, Span) else list(dim) for name, dim in self.dims.items()}


def space_of(step: Step, given: Mapping[str, Dim]) -> Space:
    """The space of a training.

    Args:
        step: The training with the recipe's own values.
        given: The recipe's `[tune.space]`, checked by `read_space`; what it names replaces the default.

    Raises:
        InputError: A setting that the method has not, or a space that holds a value that cannot be used.
    """
    config = train_options(step)
    method, prefixes = method_of(config), [f"{part.name}." for part in parts_of(config.method)]
    own = {name: getattr(config, name) for name in TUNABLE} | {"weight_decay": config.decay} | method.named_values()
    given = {name: dim for name, dim in given.items() if "." not in name or name.startswith(tuple(prefixes))}
    for name, dim in given.items():
        _check_name(name, dim, own, config.method)
    defaults = {name: _default(rule, float(own[name])) for name, rule in DEFAULTS.items() if name in own}
    idle = method.idle if len(prefixes) > 1 else {f"{method.name}.{name}" for name in method.idle}
    dims = {name: dim for name, dim in {**defaults, **given}.items() if dim is not None and name not in idle}
    for name, dim in dims.items():
        for value in ends(dim):
            _check_value(step, name, value)
    return Space(dims, {name: own[name] for name in dims})


def trial_step(step: Step, values: Mapping[str, Value], out: Path) -> Step:
    """The training with other values, in a folder of its own."""
    options = {name: value for name, value in values.items() if "." not in name}
    settings = {name: value for name, value in values.items() if "." in name}
    settings = {**step.options["settings"], **settings}
    return replace(step, options={**step.options, **options, "settings": settings, "out": str(out)})


def _default(rule: Search, own: float) -> Span | None:
    """The range, widened where the recipe's own value lies outside; a 0 is no point of a logarithmic scale."""
    if own <= 0 and (isinstance(rule, Around) or rule.log):
        return None
    if isinstance(rule, Around):
        return Span(own / rule.factor, own * rule.factor, log=True)
    return replace(rule, low=min(rule.low, own), high=max(rule.high, own))


def _check_name(name: str, dim: Dim, own: Mapping[str, Value], method: str) -> None:
    if name not in own:
        known = [key.rpartition(".")[2] for key in own if "." in key]
        raise unknown_name(f"[tune.space] method {method} has no setting {name!r}", [name.rpartition(".")[2]], known)
    kind = type(own[name])
    if isinstance(dim, Span) and kind is not float:
        raise InputError(f"[tune.space] {name} is not a fraction, got a range", f"Give a list of choices for {name}")
    allowed = (int, float) if kind is float else (kind,)
    if wrong := [value for value in ends(dim) if type(value) not in allowed]:
        message = f"[tune.space] {name} is {own[name]!r} in the recipe, got {wrong[0]!r} as a choice"
        raise InputError(message, "Give choices of the same kind")


def _check_value(step: Step, name: str, value: Value) -> None:
    try:
        check_training(train_options(trial_step(step, {name: value}, Path(step.options["out"]))))
    except InputError as error:
        raise InputError(f"[tune.space] {name} = {value}: {error.message}", error.mend) from error

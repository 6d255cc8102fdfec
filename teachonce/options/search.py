"""Where a setting is searched by `tune`, where a recipe says nothing else."""

from dataclasses import dataclass
from typing import Annotated

from teachonce.options.opt import Opt


@dataclass(frozen=True)
class Span:
    """The numbers from `low` to `high`, both included; with `log` their logarithms are drawn evenly."""

    low: Annotated[float, Opt(help="The smallest value.")]
    high: Annotated[float, Opt(help="The largest value.")]
    log: Annotated[bool, Opt(help="Draw logarithms evenly.")] = False


@dataclass(frozen=True)
class Around:
    """A range from 1/factor to factor times the recipe's own value; nothing where that is 0: it is off."""

    factor: float


Search = Span | Around

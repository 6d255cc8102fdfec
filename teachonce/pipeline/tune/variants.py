"""The variants of a recipe: its trainings, those that differ in nothing but the seed taken together."""

from collections.abc import Sequence
from dataclasses import dataclass

from teachonce.errors import InputError
from teachonce.options.alike import grouped_by
from teachonce.options.train import TrainOptions
from teachonce.pipeline.expand import run_name
from teachonce.pipeline.tables import Training


@dataclass(frozen=True)
class Variant:
    """Trainings that differ in nothing but the seed.

    Attributes:
        name: The name of their runs without the seed.
        varied: Its end, which says what else varied: `lr=0.1`; may be empty.
    """

    name: str
    varied: str
    trainings: tuple[Training, ...]

    @property
    def options(self) -> TrainOptions:
        """Of the first training, whose seed all trials use."""
        return self.trainings[0].options

    @property
    def seeds(self) -> list[int]:
        """In the recipe's order."""
        return [training.options.seed for training in self.trainings]


def find_variants(trainings: Sequence[Training]) -> list[Variant]:
    """The variants in the recipe's order, each with a name of its own.

    Raises:
        InputError: One of them has no validation rows, by which trials are compared.
    """
    variants: dict[str, Variant] = {}
    for group in grouped_by(trainings, lambda training: training.but("seed")):
        first = group[0]
        name = _free(_without_seed(first.name, first.options.seed), variants)
        common = _without_seed(run_name(first, ()), first.options.seed)
        variants[name] = Variant(name, name.removeprefix(common).strip("-"), tuple(group))
    blind = [variant.name for variant in variants.values() if not variant.options.val_fraction]
    if blind:
        message = f"trials are compared on validation rows, and {', '.join(blind)} has none"
        raise InputError(message, "Give val_fraction a value above 0")
    return list(variants.values())


def _without_seed(name: str, seed: int) -> str:
    """`kd-cnn-2-lr=0.1` for `kd-cnn-2-s0-lr=0.1`."""
    words = name.split("-")
    place = len(words) - 1 - words[::-1].index(f"s{seed}")
    return "-".join(words[:place] + words[place + 1 :])


def _free(name: str, taken: dict[str, Variant]) -> str:
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free

"""What a scene is made of, and how one is drawn from a row's words.

A scene has one to four equal objects, whose colour and shape are its class, on grey ground, and in half of the scenes
one more object, black or white, which belongs to no class.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

Item = TypeVar("Item")
Colour = tuple[int, int, int]
COLOURS: dict[str, Colour] = {
    "red": (215, 40, 40),
    "orange": (245, 140, 25),
    "yellow": (240, 225, 45),
    "green": (40, 165, 60),
    "cyan": (45, 200, 215),
    "blue": (45, 70, 220),
    "purple": (135, 50, 190),
    "pink": (250, 135, 190),
}
SHAPES = ("circle", "ring", "square", "triangle", "cross", "star")
TONES: dict[str, Colour] = {"black": (8, 8, 8), "white": (250, 250, 250)}
"""Of the objects that belong to no class."""
GROUNDS: dict[str, Colour] = {"dark": (72, 72, 76), "grey": (128, 128, 128), "light": (194, 194, 190)}
GRID = 3
"""Cells of an image, down and across; an object lies in one."""
MOST = 4
"""Equal objects in a scene."""
CELLS = ("top left", "top", "top right", "left", "centre", "right", "bottom left", "bottom", "bottom right")
"""What the cells are called, row by row."""

COMBINATIONS = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)
"""The classes, in the order of their numbers."""
_TONED = tuple((tone, shape) for tone in TONES for shape in SHAPES)


def is_unseen(label: int) -> bool:
    """Whether a class occurs in the split `unseen` alone: a quarter, of every colour and of every shape some."""
    return (label // len(SHAPES) + label) % 4 == 3


@dataclass(frozen=True, kw_only=True)
class Extra:
    """An object that belongs to no class."""

    tone: str
    shape: str
    cell: int


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is to be seen in one image."""

    label: int
    large: bool
    place: str
    """Of all the equal objects: a cell's name, or of several `row top`, `column left` and the like, or a corner."""
    cells: tuple[int, ...]
    """One of each equal object."""
    ground: str
    extra: Extra | None

    @property
    def colour(self) -> str:
        """Of the equal objects."""
        return COMBINATIONS[self.label][0]

    @property
    def shape(self) -> str:
        """Of the equal objects."""
        return COMBINATIONS[self.label][1]


class Draws:
    """Whole numbers from a row's words, one after the other.

    Args:
        words: Each uniform in 0..2^32 - 1.
    """

    def __init__(self, words: Iterable[int]) -> None:
        self._words = iter(words)

    def below(self, count: int) -> int:
        """One of 0..count - 1."""
        return next(self._words) * count >> 32

    def one(self, items: Sequence[Item]) -> Item:
        """One of some items."""
        return items[self.below(len(items))]


def draw_scene(draws: Draws, labels: Sequence[int]) -> Scene:
    """A scene; at most 9 draws, of which the first chooses the class.

    Args:
        draws: The row's.
        labels: The classes that it may have.
    """
    label, count = draws.one(labels), 1 + draws.below(MOST)
    large, ground = draws.below(2) == 1, draws.one(tuple(GROUNDS))
    place, cells = draws.one(_PLACES[count])
    extra = None
    if draws.below(2):
        tone, shape = draws.one(_TONED)
        cell = draws.one([cell for cell in range(GRID * GRID) if cell not in cells])
        extra = Extra(tone=tone, shape=shape, cell=cell)
    return Scene(label=label, large=large, place=place, cells=cells, ground=ground, extra=extra)


_Place = tuple[str, tuple[int, ...]]


def _lines(count: int) -> tuple[_Place, ...]:
    """`count` cells of a row or of a column."""
    rows = [(f"row {name}", range(start, start + 3)) for name, start in (("top", 0), ("middle", 3), ("bottom", 6))]
    columns = [(f"column {name}", range(start, 9, 3)) for name, start in (("left", 0), ("middle", 1), ("right", 2))]
    return tuple((name, cells) for name, line in (*rows, *columns) for cells in combinations(line, count))


def _corners() -> tuple[_Place, ...]:
    """Two by two cells."""
    return tuple((CELLS[2 * corner], (at, at + 1, at + 3, at + 4)) for corner, at in ((0, 0), (1, 1), (3, 3), (4, 4)))


_PLACES: dict[int, tuple[_Place, ...]] = {
    1: tuple((name, (cell,)) for cell, name in enumerate(CELLS)),
    2: _lines(2),
    3: _lines(3),
    4: _corners(),
}

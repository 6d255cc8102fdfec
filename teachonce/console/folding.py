"""Tables that are whole on every terminal: heads break between words, then columns go on below; no word is cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

Cell = str | Text
_GAP = 2  # between columns
_LEAST = 8  # letters of a name, which may break where it must


@dataclass(kw_only=True)
class Folding:
    """A table whose first columns name the rows; they stand before every part of it."""

    left: Sequence[str]
    right: Sequence[str]
    """Titles of the other columns, which are numbers but for those in `words`."""
    words: Sequence[str] = ()
    rows: list[tuple[Cell, ...]] = field(default_factory=list)

    def add_row(self, *cells: Cell) -> None:
        """A cell for each column."""
        self.rows.append(cells)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table | str]:
        """The table, or its parts one below the other."""
        named, room = len(self.left), options.max_width
        everything = range(named + len(self.right))
        full = [max(len(_title(self, place)), self._widest(place)) for place in everything]
        if _total(full) <= room:
            yield self._table(everything, full)
            return
        least = [self._least(place) for place in everything]
        least[:named] = self._names(least, room)
        for number, part in enumerate(_parts(least, named, room)):
            if number:
                yield ""
            is_roomy = _total([full[place] for place in part]) <= room
            yield self._table(part, full if is_roomy else least)

    def _widest(self, place: int) -> int:
        return max((len(row[place]) for row in self.rows), default=0)

    def _least(self, place: int) -> int:
        """Numbers stay on their line; titles and names break between words."""
        words = _title(self, place).split()
        if place < len(self.left):
            words += [word for row in self.rows for word in str(row[place]).split()]
            return max(map(len, words), default=1)
        return max(self._widest(place), *map(len, words))

    def _names(self, least: Sequence[int], room: int) -> list[int]:
        """Of the naming columns; long names are broken where no number would stand beside them."""
        named = len(self.left)
        widths, beside = list(least[:named]), max(least[named:], default=0)
        while _total([*widths, beside]) > room and max(widths) > _LEAST:
            widths[widths.index(max(widths))] -= 1
        return widths

    def _table(self, places: Sequence[int], widths: Sequence[int]) -> Table:
        table = Table(box=None, pad_edge=False)
        for place in places:
            title, width = _title(self, place), widths[place]
            number = place >= len(self.left) and title not in self.words
            table.add_column(title, justify="right" if number else "left", overflow="fold", width=width)
        for row in self.rows:
            table.add_row(*(row[place] for place in places))
        return table


def _title(table: Folding, place: int) -> str:
    return (*table.left, *table.right)[place]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _parts(widths: Sequence[int], named: int, room: int) -> Iterator[list[int]]:
    """Columns that fit beside the naming ones, in order."""
    names = list(range(named))
    part = list(names)
    for place in range(named, len(widths)):
        if len(part) > named and _total([widths[one] for one in (*part, place)]) > room:
            yield part
            part = list(names)
        part.append(place)
    yield part

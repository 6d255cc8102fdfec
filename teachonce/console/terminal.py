"""Rich's console for texts that may come from elsewhere: what a terminal would obey in them is left out."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from teachonce.texts import printable


class Terminal(Console):
    """A console that prints no control characters but its own, and takes nothing for markup.

    Args:
        options: Of rich's Console.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See Console.render, through which all goes that is printed."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))

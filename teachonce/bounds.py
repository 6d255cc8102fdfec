"""Types with bounds, for the records of files: what lies outside is refused where it is read (see `records`)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from pydantic import ConfigDict
    from pydantic_core import CoreSchema

CLOSED: "ConfigDict" = {"extra": "forbid"}
"""As `__pydantic_config__`, of a record that has no keys but those that are declared."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Limits of a number."""

    min: float | None = None
    above: float | None = None
    max: float | None = None

    def __get_pydantic_core_schema__(self, kind: object, handler: "Callable[[object], CoreSchema]") -> "CoreSchema":
        """The bounds as pydantic has them."""
        from pydantic import Field

        return handler(Annotated[kind, Field(ge=self.min, gt=self.above, le=self.max)])


MOST_SIDE = 1 << 14
Side = Annotated[int, Bounds(min=1, max=MOST_SIDE)]
"""Of an image, in pixels."""
MOST_COUNT, MOST_AMOUNT = (1 << 63) - 1, 1e30
"""Of things, and of seconds, bytes or operations: more are no numbers that anybody has measured."""
Count = Annotated[int, Bounds(min=0, max=MOST_COUNT)]
Positive = Annotated[int, Bounds(min=1, max=MOST_COUNT)]
Share = Annotated[float, Bounds(min=0, max=1)]
NotBelow = Annotated[float, Bounds(min=0, max=MOST_AMOUNT)]
Above = Annotated[float, Bounds(above=0, max=MOST_AMOUNT)]

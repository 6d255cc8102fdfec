"""Signals: what a teacher gives about samples or classes, each declared once, by name.

Teachers return a mapping of signals, the store keeps an array for each, sources read them, methods need them. A new
signal is a row of SIGNALS, and the line of a teacher that gives it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from teachonce.errors import InputError

Axis = Literal["row", "view", "class", "width"]
Needs = frozenset[str]
"""Names of signals, such as {"logits", "class_mean:16"}."""


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One signal, or a family of them whose members have an argument: `NAME:ARGUMENT`."""

    name: str
    axes: tuple[Axis, ...]
    """Of the array that is stored. What has rows is given for each batch, (B, ...); what has none, once."""
    text: str
    """In messages: `the target has no TEXT`."""
    mend: str
    """What to do where a target has none; `{embed}` is the beginning of the command that makes another target, up to
    its name, and `{target}` the name of this one."""
    argument: str | None = None
    """What the argument of a family is; None where there is none."""

    @property
    def of_rows(self) -> bool:
        """Whether each row has its own."""
        return self.axes[0] == "row"


_ROWS: tuple[Axis, ...] = ("row", "view", "width")
_OTHER = "`{embed} OTHER`, then --target OTHER"
SIGNALS = {
    one.name: one
    for one in (
        Signal(name="image_embedding", axes=_ROWS, text="image embeddings", mend=f"Add them: {_OTHER}"),
        Signal(name="logits", axes=_ROWS, text="logits", mend=f"Use a teacher with a classification head: {_OTHER}"),
        Signal(
            name="class_mean",
            axes=("class", "width"),
            text="class means",
            mend="Use data with labels in another store: `{embed} {target} --label-column COLUMN`",
            argument="the first so many rows of each class, or `all`",
        ),
    )
}


def signal(name: str) -> Signal:
    """The declaration of a signal, or of the family that it is a member of.

    Raises:
        InputError: There is none of this name, or it takes no argument.
    """
    family, colon, _ = name.partition(":")
    found = SIGNALS.get(family)
    if found is None:
        near = get_close_matches(family, SIGNALS, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise InputError(f"no signal {name!r}", f"{hint}There are: {', '.join(SIGNALS)}")
    if colon and found.argument is None:
        raise InputError(f"signal {family} takes no argument, got {name!r}", f"Use {family}")
    return found


def argument(name: str) -> str | None:
    """The argument of a member of a family: `16` of `class_mean:16`; None where it has none."""
    return name.partition(":")[2] or None


def needs(*names: str) -> Needs:
    """A set of signals, each of which there is.

    Raises:
        InputError: See `signal`.
    """
    for name in names:
        signal(name)
    return frozenset(names)


def of_rows(names: Iterable[str]) -> list[str]:
    """Those that each row has, in the order of SIGNALS."""
    rows = [name for name in names if signal(name).of_rows]
    return sorted(rows, key=list(SIGNALS).index)


def member(names: Collection[str], family: str) -> str | None:
    """The one of these names that is of a family, with its argument; None where none is."""
    return next((name for name in names if name.partition(":")[0] == family), None)

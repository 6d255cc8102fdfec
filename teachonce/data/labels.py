"""What labels mean: which rows have one, and which class of one dataset is which of another."""

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teachonce.errors import MismatchError

_UNKNOWN = "Use data of the classes that it was trained on, or leave these rows out"
_SHOWN = 3


def plain(name: str) -> str:
    """A class name as it is compared: without regard to case, white space, `_` and how accents are composed."""
    return " ".join(unicodedata.normalize("NFC", name).strip("\ufeff").replace("_", " ").casefold().split())


def lookalikes(names: Sequence[str]) -> list[str]:
    """A remark for class names that differ in nothing but case or white space; at most one."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(plain(name), []).append(name)
    alike = [group for group in groups.values() if len(group) > 1]
    if not alike:
        return []
    shown = "; ".join(" and ".join(map(repr, group)) for group in alike[:_SHOWN])
    return [f"{len(alike)} classes have several names that differ only in case or white space: {shown}"]


def out_of_order(names: Sequence[str] | None) -> int | None:
    """The first class that has another place among names that are whole numbers than among these numbers in order.

    It is 2 of `"0"`, `"1"`, `"10"`, `"2"`, ...: texts in order. None where there is none, or a name is no number.
    """
    numbers = (None if names is None else _numbers(names)) or []
    pairs = enumerate(zip(numbers, sorted(numbers), strict=True))
    return next((index for index, (number, place) in pairs if number != place), None)


def match_labels(
    labels: NDArray[np.int32], names: Sequence[str] | None, *, who: str, classes: int, known: Sequence[str] | None
) -> tuple[NDArray[np.int32], str | None]:
    """The labels of some data in the numbers of another's classes: by name where both have names, else as they are.

    Names that are whole numbers are matched with the labels of data without names: `"10"` is 10, in whatever order.

    Args:
        labels: (rows,) of the data, -1 where there is none.
        names: Its class names, or None.
        who: Whose classes they are to be, for the error.
        classes: How many there are.
        known: Their names, or None.

    Returns:
        (rows,), and a remark where classes have other numbers here; -1 stays.

    Raises:
        MismatchError: A class that has rows is not among them; the first few are named.
    """
    used = np.unique(labels[labels >= 0])
    numbers = {int(label): _find(int(label), names, known, classes) for label in used}
    found = {label: number for label, number in numbers.items() if number is not None}
    lost = sorted(numbers.keys() - found.keys())
    if lost:
        words = ", ".join(str(label) if names is None else repr(names[label]) for label in lost[:_SHOWN])
        rows = int(np.isin(labels, lost).sum())
        message = f"{who} has {classes} classes and not {words}{', ...' if len(lost) > _SHOWN else ''} ({rows} rows)"
        raise MismatchError(message, _UNKNOWN)
    table = np.full(int(used.max(initial=-1)) + 2, -1, np.int32)
    table[list(found)] = list(found.values())
    moved = [label for label, number in found.items() if label != number]
    remark = None
    if moved:
        word = str(moved[0]) if names is None else repr(names[moved[0]])
        remark = f"labels are matched by name: class {word} is {moved[0]} in the data, {found[moved[0]]} for {who}"
    return table[labels], remark


def _find(label: int, names: Sequence[str] | None, known: Sequence[str] | None, classes: int) -> int | None:
    if names is not None and known is not None:
        return _named(names[label], known)
    if known is not None and (numbers := _numbers(known)) is not None:
        return numbers.index(label) if label in numbers else None
    if names is not None and (numbers := _numbers(names)) is not None:
        label = numbers[label]
    return label if label < classes else None


def _named(name: str, known: Sequence[str]) -> int | None:
    if name in known:
        return known.index(name)
    alike = [number for number, other in enumerate(known) if plain(other) == plain(name)]
    return alike[0] if len(alike) == 1 else None


def _numbers(names: Sequence[str]) -> list[int] | None:
    """Names as whole numbers, where all are, each another."""
    numbers = [int(name) for name in names if name.isascii() and name.strip().isdecimal()]
    return numbers if len(set(numbers)) == len(names) else None

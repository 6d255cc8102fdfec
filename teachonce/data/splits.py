"""Which folders, or files of a table, are splits by their names, and when such a name is only a class.

The rule, for the names that lie side by side (the first level where it holds; at a deeper level it must hold in each
folder above it):

1. All of them are names of splits (`train`, `test`, `val`, ... in any case): they are splits. So is one alone.
2. Two or more are names of different splits, and others lie beside them: all are splits, the others under their own
   names.
3. One is, it holds folders, and those beside it hold images only (`train/cat`, `train/dog`, `unlabelled`): the same.
4. Each has the name of a split as a word in it (`train2017`, `val2017`), of at least two different ones: they are
   these splits.
5. Otherwise none is a split: `train` beside `bus` and `car` is a class, as is `test tube`.

What 2 to 4 decide is said, since it may be meant otherwise. A file's name never makes an image part of a split.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from teachonce.data.walk import listed

Parts = tuple[str, ...]
_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
SPLIT_OF: Mapping[str, str] = {word: split for split, words in _WORDS.items() for word in words}
"""The names that mean splits, in lower case, and the split each means."""
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Names at one level of all paths, and the split each is."""

    level: int
    names: Mapping[str, str]
    unsure: str | None = None
    """How they were read, where it may be meant otherwise."""

    def of(self, parts: Parts) -> str | None:
        """The split of a path; None where it has no part at this level."""
        return self.names[parts[self.level]] if len(parts) > self.level else None


def split_named(name: str, there: Collection[str]) -> str:
    """A split as it is called here: `val` is `validation` where only that is there."""
    alias = SPLIT_OF.get(name.casefold(), name)
    return alias if name not in there and alias in there else name


def find_splits(paths: Collection[Parts]) -> Splits | None:
    """The level at which paths name splits; None where there is none.

    Args:
        paths: The names of the folders (or of folders and file) that each image or table lies in, from the outermost.
    """
    for level in range(max(map(len, paths), default=0)):
        if level and any(len(parts) <= level for parts in paths):
            return None
        found = _at(level, [parts for parts in paths if len(parts) > level])
        if found is not None:
            return found
    return None


def names_split(name: str) -> bool:
    """Whether a name has that of a split as a word in it."""
    return any(word in SPLIT_OF for word in _LETTERS.findall(name.casefold()))


def _at(level: int, paths: list[Parts]) -> Splits | None:
    beside: dict[Parts, dict[str, set[bool]]] = defaultdict(lambda: defaultdict(set))
    for parts in paths:  # of each name: whether it holds folders, or images itself, or both
        beside[parts[:level]][parts[level]].add(len(parts) > level + 1)
    names: dict[str, str] = {}
    sure = True
    for group in beside.values():
        found = _exact(group) or _worded(group)
        if found is None:
            return None
        names |= found
        sure = sure and all(name.casefold() in SPLIT_OF for name in group)
    read = ", ".join(f"{split} ({listed([n for n in names if names[n] == split])})" for split in _order(names.values()))
    return Splits(level=level, names=names, unsure=None if sure else read)


def _exact(group: Mapping[str, set[bool]]) -> dict[str, str] | None:
    known = {name: SPLIT_OF[name.casefold()] for name in group if name.casefold() in SPLIT_OF}
    others = [name for name in group if name not in known]
    holds_classes = all(group[name] == {True} for name in known) and all(group[name] == {False} for name in others)
    if known and (not others or len(set(known.values())) > 1 or holds_classes):
        return {name: known.get(name, name) for name in group}
    return None


def _worded(group: Iterable[str]) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for name in group:
        splits = {SPLIT_OF[word] for word in _LETTERS.findall(name.casefold()) if word in SPLIT_OF}
        if len(splits) != 1:
            return None
        found[name] = splits.pop()
    return found if len(set(found.values())) > 1 else None


def _order(splits: Iterable[str]) -> list[str]:
    """Each once, the usual ones first."""
    usual = list(_WORDS)
    return sorted(set(splits), key=lambda name: (usual.index(name) if name in usual else len(usual), name))

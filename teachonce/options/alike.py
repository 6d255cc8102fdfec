"""Trainings and runs that differ in nothing but some of their settings: groups of seeds, pairs of cached and live."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from teachonce.records import as_json

Item = TypeVar("Item")


def same_but(settings: Mapping[str, object], *names: str) -> str:
    """A text that is equal for settings that differ in nothing but those of these names."""
    return json.dumps(as_json({name: value for name, value in settings.items() if name not in names}), sort_keys=True)


def grouped_by(items: Iterable[Item], key: Callable[[Item], object]) -> list[list[Item]]:
    """Items with equal keys together, in the order of their first occurrence."""
    groups: dict[object, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())


def paired(
    items: Iterable[Item], key: Callable[[Item], object], source: Callable[[Item], str]
) -> list[tuple[Item, Item]]:
    """Every two items with equal keys of which one is `cached` and one `live`, in the order of the cached ones.

    Args:
        items: What is paired.
        key: What both must share; without the source.
        source: `cached` or `live`; others are left out.
    """
    groups = grouped_by(items, lambda item: (key(item), source(item)))
    live = {key(group[0]): group for group in groups if source(group[0]) == "live"}
    cached = (item for group in groups if source(group[0]) == "cached" for item in group)
    return [(own, rival) for own in cached for rival in live.get(key(own), [])]

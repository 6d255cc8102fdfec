"""JSON values as golden files have them: flat, in a fixed order, without what depends on a machine or a version."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

ABSENT = "<absent>"
_DIGEST = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{64}")
_RULE = re.compile(r"pillow-\d+")


def masked(value: Any) -> Any:
    """Digests (weights are random numbers of torch) and the resizing rule of the installed Pillow by their kind."""
    if isinstance(value, Mapping):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    if isinstance(value, str) and _DIGEST.fullmatch(value):
        return "<digest>"
    return "<rule>" if isinstance(value, str) and _RULE.fullmatch(value) else value


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of two JSON objects that differ, by their dotted names: the new value, masked after comparing."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    names = sorted(before.keys() | after.keys())
    return {
        name: masked(after.get(name, ABSENT)) for name in names if before.get(name, ABSENT) != after.get(name, ABSENT)
    }


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}".lstrip("."))
    else:
        yield name, value


def canonical(value: Any) -> str:
    """JSON with sorted keys, one entry a line."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

"""From one [[train]] table with lists to the trainings of their product, each with a name of its own."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from teachonce.options.words import setting_text
from teachonce.pipeline.schema import TrainTable

LISTS_BY_NATURE = ("milestones",)
OF_METHOD = {"rdm": "cifd", "rdm_logits": "cifd", "assistants": "dgkd"}
"""Keys that are for one method alone, as its settings are."""
_ALWAYS_NAMED = ("method", "student", "seed", "source", "name", "target", "rdm", "assistants")


@dataclass(frozen=True)
class Training:
    """One training of the recipe: the name of its run folder, and its options."""

    name: str
    options: TrainTable


def expand(raw: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Every combination of a table's lists, in the table's order, with the keys that vary.

    A method's settings (`set`), and what is for one method only, go to that method alone, so they multiply its
    trainings only.
    """
    flat = {k: v for k, v in raw.items() if k != "set" and k not in OF_METHOD}
    for chosen in _product(flat):
        method = chosen.get("method", "ce")
        extras = {k: v for k, v in raw.items() if OF_METHOD.get(k) == method}
        settings = flatten_settings(raw.get("set", {}))
        own = {k: v for k, v in settings.items() if k.rpartition(".")[0] == method}
        for named, values in product(_product(extras), _product(own)):
            table = {**chosen, **named, "set": values} if values else {**chosen, **named}
            yield table, (*_varied(flat), *_varied(extras), *_varied(own))


def flatten_settings(settings: Any, prefix: str = "") -> dict[str, Any]:
    """`{"kd": {"temperature": 4}}`, as TOML reads `kd.temperature = 4`, and `{"kd.temperature": 4}` alike."""
    flat: dict[str, Any] = {}
    for key, value in settings.items() if isinstance(settings, Mapping) else ():
        if isinstance(value, Mapping):
            flat.update(flatten_settings(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _product(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    choices = [v if _is_choice(k, v) else [v] for k, v in table.items()]
    return (dict(zip(table, values, strict=True)) for values in product(*choices))


def _varied(table: Mapping[str, Any]) -> list[str]:
    return [k for k, v in table.items() if _is_choice(k, v) and len(v) > 1]


def _is_choice(key: str, value: Any) -> bool:
    return isinstance(value, list) and key not in LISTS_BY_NATURE


def run_name(options: TrainTable, varied: Sequence[str]) -> str:
    """The name of a run folder: method, student, seed, where the targets come from, and what else varies."""
    parts = [options.name] if options.name else []
    parts += [options.method, student_slug(options.student), f"s{options.seed}"]
    if options.source == "live":
        parts.append("live")
    parts += [f"target={options.target}"] if options.target else []
    given = [key for key in ("rdm", "assistants") if key in options.model_fields_set]
    parts += [f"{key}={short_names(getattr(options, key))}" for key in given]
    for key in varied:
        if key not in _ALWAYS_NAMED:
            value = options.set[key] if "." in key else getattr(options, key)
            parts.append(f"{key.rpartition('.')[2].replace('_', '-')}={setting_text(value)}")
    return "-".join(_safe(part) for part in parts)


def short_names(names: str) -> str:
    """Targets in short: `10+1` for `rdm-10,rdm-1`, `8+6` for `assistant-8,assistant-6`, `none` for none."""
    return "+".join(name.removeprefix("rdm-").removeprefix("assistant-") for name in split_names(names)) or "none"


def split_names(names: str) -> tuple[str, ...]:
    """`rdm-10, rdm-1` as names."""
    return tuple(name for part in names.split(",") if (name := part.strip()))


def student_slug(spec: str) -> str:
    """A short word for a student: `vit-p4-w256-l6-h8` for `vit:patch=4,width=256,layers=6,heads=8`."""
    kind, _, rest = spec.partition(":")
    options = [item.partition("=") for item in rest.split(",") if "=" in item]
    if options:
        return "-".join([kind, *(f"{name.strip()[:1]}{value.strip()}" for name, _, value in options)])
    return re.split(r"[/:]", re.sub(r"(/config\.json)?/*$", "", spec))[-1]


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.=+_-]+", "-", text).strip("-.") or "x"

"""From one [[train]] table with lists to the trainings of their product, each with a name of its own."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from teachonce.options.methods import takes
from teachonce.options.words import setting_text
from teachonce.pipeline.keys import is_list
from teachonce.pipeline.tables import TRAIN, Training

OF_METHOD = {key: option.opt.takes for key, option in TRAIN.known.items() if option.opt.takes is not None}
"""Keys that are only for methods that take such targets."""
_EXTRAS = ("rdm", "assistants")
_ALWAYS_NAMED = ("method", "student", "seed", "source", "name", "target", "targets", *_EXTRAS)


def expand(raw: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Every combination of a table's lists, in the table's order, with the keys that vary.

    A method's settings (`set`), and what is for one method only, go to that method alone, so they multiply its
    trainings only.
    """
    flat = {k: v for k, v in raw.items() if k != "set" and k not in OF_METHOD}
    for chosen in _product(flat):
        method = str(chosen.get("method", "ce"))
        extras = {k: v for k, v in raw.items() if k in OF_METHOD and OF_METHOD[k] == takes(method)}
        settings = flatten_settings(raw.get("set", {}))
        own = {k: v for k, v in settings.items() if k.rpartition(".")[0] in method.split("+")}
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
    choices = [v if is_choice(k, v) else [v] for k, v in table.items()]
    return (dict(zip(table, values, strict=True)) for values in product(*choices))


def _varied(table: Mapping[str, Any]) -> list[str]:
    return [k for k, v in table.items() if is_choice(k, v) and len(v) > 1]


def is_choice(key: str, value: Any) -> bool:
    """Whether a value of a [[train]] table is one of several; milestones are a list by nature."""
    return isinstance(value, list) and not is_list(TRAIN.known.get(key))


def run_name(training: Training, varied: Sequence[str]) -> str:
    """The name of a run folder: method, student, seed, where the targets come from, and what else varies."""
    options = training.options
    parts = [training.label] if training.label else []
    parts += [options.method, student_slug(options.student), f"s{options.seed}"]
    if options.source == "live":
        parts.append("live")
    parts += [f"target={training.target}"] if training.target else []
    parts += [f"{key}={short_names(getattr(options, key))}" for key in _EXTRAS if training.names(key)]
    own = {**TRAIN.raw(training.given), **options.settings}
    for key in varied:
        if key not in _ALWAYS_NAMED:
            parts.append(f"{key.rpartition('.')[2].replace('_', '-')}={setting_text(own[key])}")
    return "-".join(_safe(part) for part in parts)


def short_names(names: Iterable[str]) -> str:
    """Targets in short: `10+1` for rdm-10 and rdm-1, `8+6` for assistant-8 and assistant-6, `none` for none."""
    return "+".join(name.removeprefix("rdm-").removeprefix("assistant-") for name in names) or "none"


def student_slug(spec: str) -> str:
    """A short word for a student: `vit-p4-w256-l6-h8` for `vit:patch=4,width=256,layers=6,heads=8`."""
    kind, _, rest = spec.partition(":")
    options = [item.partition("=") for item in rest.split(",") if "=" in item]
    if options:
        return "-".join([kind, *(f"{name.strip()[:1]}{value.strip()}" for name, _, value in options)])
    return re.split(r"[/:]", re.sub(r"(/config\.json)?/*$", "", spec))[-1]


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.=+_-]+", "-", text).strip("-.") or "x"

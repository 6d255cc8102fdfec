"""What tells a recipe's trainings from one another, in words."""

from collections.abc import Iterable, Sequence
from typing import Any

from teachonce.options.words import setting_text
from teachonce.pipeline.expand import Training, short_names, split_names
from teachonce.pipeline.schema import TrainTable

_EXTRAS = ("rdm", "assistants")
_ELSEWHERE = ("student", "method", "source", "seed", "set", "name", "epochs", "target", *_EXTRAS)


def labels(trainings: Sequence[Training]) -> dict[str, str]:
    """Run name -> its method, its targets, and what differs among the trainings of the same method.

    Such as `cifd, 3 rdm (100+50+20), ibm=false`, or `takd: kd, target=assistant-4` where the table has a name. The
    seed, the student, the source and the epochs are not in it.
    """
    alike: dict[str, list[TrainTable]] = {}
    for training in trainings:
        alike.setdefault(training.options.method, []).append(training.options)
    different = {method: _different(tables) for method, tables in alike.items()}
    return {training.name: _label(training.options, different[training.options.method]) for training in trainings}


def _label(table: TrainTable, different: Sequence[str]) -> str:
    words = [f"{table.name}: {table.method}" if table.name else table.method]
    words += [f"target={table.target}"] if table.target else []
    for key, one, word in (("rdm", "rdm", "rdm"), ("assistants", "assistant", "assistants")):
        names = getattr(table, key)
        if names or key in different:
            count = len(split_names(names))
            words.append(f"{count} {word if count != 1 else one}" + (f" ({short_names(names)})" if names else ""))
    own = _values(table)
    return ", ".join([*words, *(f"{key}={_text(own.get(key))}" for key in different if key not in _EXTRAS)])


def _values(table: TrainTable) -> dict[str, Any]:
    settings = {key.rpartition(".")[2]: value for key, value in table.set.items()}
    return {**table.model_dump(exclude=set(_ELSEWHERE)), **settings}


def _different(tables: Sequence[TrainTable]) -> list[str]:
    """The keys whose values differ, each once."""
    values = [_values(table) | {key: getattr(table, key) for key in _EXTRAS} for table in tables]
    return [key for key in dict.fromkeys(k for each in values for k in each) if _varies(v.get(key) for v in values)]


def _varies(values: Iterable[Any]) -> bool:
    return len({repr(value) for value in values}) > 1


def _text(value: Any) -> str:
    return "default" if value is None else setting_text(value)

"""What tells a recipe's trainings from one another, in words."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from teachonce.engine.words import setting_text
from teachonce.pipeline.expand import Training, short_names, split_names
from teachonce.pipeline.schema import TrainTable

_ELSEWHERE = ("student", "method", "source", "seed", "set", "name", "epochs", "target", "rdm", "assistants")


def labels(trainings: Sequence[Training]) -> dict[str, str]:
    """Run name -> its method, its targets, and what differs among the trainings of the same method.

    Such as `cifd, 3 rdm (100+50+20), ibm=false`, or `takd: kd, target=assistant-4` where the table has a name. The
    seed, the student, the source and the epochs are not in it.
    """
    return {training.name: _label(training.options, trainings) for training in trainings}


def _label(table: TrainTable, trainings: Sequence[Training]) -> str:
    alike = [training.options for training in trainings if training.options.method == table.method]
    words = [f"{table.name}: {table.method}" if table.name else table.method]
    words += [f"target={table.target}"] if table.target else []
    for key, one, word in (("rdm", "rdm", "rdm"), ("assistants", "assistant", "assistants")):
        names = getattr(table, key)
        if names or _varies(getattr(other, key) for other in alike):
            count = len(split_names(names))
            words.append(f"{count} {word if count != 1 else one}" + (f" ({short_names(names)})" if names else ""))
    own, others = _values(table), [_values(other) for other in alike]
    return ", ".join([*words, *(f"{key}={_text(own.get(key))}" for key in _keys(others))])


def _values(table: TrainTable) -> Mapping[str, Any]:
    settings = {key.rpartition(".")[2]: value for key, value in table.set.items()}
    return {**table.model_dump(exclude=set(_ELSEWHERE)), **settings}


def _keys(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys whose values differ, each once."""
    return [key for key in dict.fromkeys(k for table in tables for k in table) if _varies(t.get(key) for t in tables)]


def _varies(values: Iterable[Any]) -> bool:
    return len({repr(value) for value in values}) > 1


def _text(value: Any) -> str:
    return "default" if value is None else setting_text(value)

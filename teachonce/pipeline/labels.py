"""What tells a recipe's trainings from one another, in words."""

from collections.abc import Iterable, Sequence
from typing import Any

from teachonce.options.train import TrainOptions
from teachonce.options.words import setting_text
from teachonce.pipeline.expand import short_names
from teachonce.pipeline.tables import Training
from teachonce.records import as_json

_EXTRAS = ("rdm", "assistants")
_ELSEWHERE = ("student", "method", "source", "seed", "settings", "epochs", "target")


def labels(trainings: Sequence[Training]) -> dict[str, str]:
    """Run name -> its method, its targets, and what differs among the trainings of the same method.

    Such as `cifd, 3 rdm (100+50+20), ibm=false`, or `takd: kd, target=assistant-4` where the table has a name. The
    seed, the student, the source and the epochs are not in it.
    """
    alike: dict[str, list[Training]] = {}
    for training in trainings:
        alike.setdefault(training.options.method, []).append(training)
    different = {method: _different(members) for method, members in alike.items()}
    return {training.name: _label(training, different[training.options.method]) for training in trainings}


def _label(training: Training, different: Sequence[str]) -> str:
    options = training.options
    words = [f"{training.label}: {options.method}" if training.label else options.method]
    words += [f"target={training.target}"] if training.target else []
    for key, one, word in (("rdm", "rdm", "rdm"), ("assistants", "assistant", "assistants")):
        names = getattr(options, key)
        if names or key in different:
            count = len(names)
            words.append(f"{count} {word if count != 1 else one}" + (f" ({short_names(names)})" if names else ""))
    own = _values(options)
    return ", ".join([*words, *(f"{key}={_text(own.get(key))}" for key in different if key not in _EXTRAS)])


def _values(options: TrainOptions) -> dict[str, Any]:
    settings = {key.rpartition(".")[2]: value for key, value in options.settings.items()}
    return {**{name: as_json(value) for name, value in vars(options).items() if name not in _ELSEWHERE}, **settings}


def _different(trainings: Sequence[Training]) -> list[str]:
    """The keys whose values differ, each once."""
    values = [_values(training.options) for training in trainings]
    return [key for key in dict.fromkeys(k for each in values for k in each) if _varies(v.get(key) for v in values)]


def _varies(values: Iterable[Any]) -> bool:
    return len({repr(value) for value in values}) > 1


def _text(value: Any) -> str:
    return "default" if value is None else setting_text(value)

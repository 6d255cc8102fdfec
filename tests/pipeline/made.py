"""Trainings as a recipe's tables make them, and steps in the test's own process, which is faster than one each."""

import json
from typing import Any

from teachonce.events import Events
from teachonce.options.verbs import VERBS
from teachonce.options.words import command_words
from teachonce.pipeline.child import do_step
from teachonce.pipeline.steps import Step
from teachonce.pipeline.tables import TRAIN, Training


def training(name: str, label: str | None = None, **given: Any) -> Training:
    """A training of a table that sets these options of `train`."""
    return Training(name, TRAIN.options(given), given, label)


def here(step: Step, events: Events, template: object) -> Any:
    """Do a step as its process would."""
    return json.loads(json.dumps(do_step(events, step.verb, step.options)))


def words(step: Step) -> list[str]:
    """A step as a command line."""
    return [step.verb, *command_words(VERBS[step.verb].kind, step.options)]

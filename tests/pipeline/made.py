"""Trainings as a recipe's tables make them."""

from typing import Any

from teachonce.pipeline.tables import TRAIN, Training


def training(name: str, label: str | None = None, **given: Any) -> Training:
    """A training of a table that sets these options of `train`."""
    return Training(name, TRAIN.options(given), given, label)

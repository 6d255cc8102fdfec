"""Evaluations that were made, kept beside the run: `evaluation.json` holds what was measured, and on what."""

from collections.abc import Mapping
from typing import Any

from teachonce.engine.evalfile import NAME, read_evaluation, write_evaluation
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.steps import Step


def record(step: Step, facts: Facts, result: Mapping[str, Any]) -> None:
    """Keep the result of an evaluation.

    Raises:
        DiskError: It cannot be written.
    """
    write_evaluation(step.run, facts.identity(step.options, prefer="test"), result)


def recorded(step: Step, facts: Facts) -> dict[str, Any] | None:
    """The result of an evaluation of the same weights on the same data; None where there is none."""
    if not (step.run / NAME).is_file():  # before the data is read
        return None
    return read_evaluation(step.run, facts.identity(step.options, prefer="test"))

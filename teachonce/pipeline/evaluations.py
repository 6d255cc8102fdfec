"""Evaluations that were made, kept beside the run: `evaluation.json` holds what was measured, and on what."""

from teachonce.engine.evalfile import NAME, read_evaluation
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.steps import Step
from teachonce.records import to_json


def recorded(step: Step, facts: Facts) -> dict[str, object] | None:
    """The result of an evaluation of the same weights on the same data; None where there is none."""
    if not (step.run / NAME).is_file():  # before the data is read
        return None
    found = read_evaluation(step.run, facts.content(step.options, prefer="test"))
    return None if found is None else to_json(found)

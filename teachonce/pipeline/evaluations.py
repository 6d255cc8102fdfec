"""Evaluations that were made, kept beside the run: `evaluation.json` holds what was measured, and on what."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teachonce.digests import digest_hex
from teachonce.fsio import write_json
from teachonce.pipeline.facts import Facts
from teachonce.pipeline.steps import Step

NAME = "evaluation.json"
_WEIGHTS = Path("best") / "model.safetensors"


def record(step: Step, facts: Facts, result: Mapping[str, Any]) -> None:
    """Keep the result of an evaluation.

    Raises:
        DiskError: It cannot be written.
    """
    write_json(step.run / NAME, {"of": _identity(step, facts), "result": result})


def recorded(step: Step, facts: Facts) -> dict[str, Any] | None:
    """The result of an evaluation of the same weights on the same data; None where there is none."""
    try:
        kept = json.loads((step.run / NAME).read_text(encoding="utf-8"))
        if kept["of"] == _identity(step, facts):
            result: dict[str, Any] = kept["result"]
            return result
    except (OSError, ValueError, KeyError, TypeError):  # nothing usable: it is measured again
        return None
    return None


def _identity(step: Step, facts: Facts) -> dict[str, Any]:
    return {
        "weights": digest_hex((step.run / _WEIGHTS).read_bytes()),
        "data": facts.identity(step.options, prefer="test"),
    }

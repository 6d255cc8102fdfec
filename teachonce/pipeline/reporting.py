"""Reports of recipes; beside the runs a record of what was written, and of what it tells."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from teachonce.digests import digest_hex
from teachonce.engine.stage_one.runs import runs_path
from teachonce.errors import CorruptError
from teachonce.events import Events
from teachonce.fsio import read_file, read_json, write_json
from teachonce.pipeline.steps import Step

_FILES = ("run.json", "result.json", "evaluation.json", "metrics.jsonl")


def do_report(step: Step, events: Events) -> dict[str, Any]:
    """Write a report, and the record of it.

    Raises:
        TeachonceError: See `report`.
    """
    from teachonce.reports.make import report

    result = json.loads(json.dumps(asdict(report(**step.options, events=events))))
    write_json(_record(step), {"of": _identity(step), "result": result})
    return dict(result)


def reported(step: Step) -> dict[str, Any] | None:
    """The result of a report that is there and still tells what the runs hold; None where there is none."""
    try:
        kept = read_json(_record(step))
        if kept["of"] == _identity(step) and all(Path(out).is_file() for out in step.options["out"]):
            result: dict[str, Any] = kept["result"]
            return result
    except (OSError, CorruptError, KeyError, TypeError):  # nothing usable: it is written again
        return None
    return None


def _record(step: Step) -> Path:
    """In the folder of the runs, named by the report: two recipes may share the folder."""
    return Path(step.options["places"][0]).parent / f"{Path(step.options['out'][0]).name}.json"


def _identity(step: Step) -> Mapping[str, Any]:
    digests = {str(path): digest_hex(read_file(path)) for path in _sources(step) if path.exists()}
    return {"version": version("teachonce"), "options": dict(step.options), "files": digests}


def _sources(step: Step) -> Iterator[Path]:
    for place in step.options["places"]:
        yield from (Path(place) / name for name in _FILES)
    if "store" in step.options:
        yield runs_path(Path(step.options["store"]))

"""The run record: one line of JSON a run, beside the store and never in it: a store holds no time and no host."""

import json
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from teachonce.bounds import NotBelow
from teachonce.engine.machine import now, this_machine
from teachonce.engine.records import Origin
from teachonce.engine.stage_one.contents import versions
from teachonce.errors import CorruptError, DiskError
from teachonce.events import Events
from teachonce.fsio import append_line, parse_json, read_text
from teachonce.records import REST, SPARSE, parse, to_json
from teachonce.types import JsonObject


def runs_path(store: Path) -> Path:
    """Where the runs of a store are recorded: `NAME.zarr.runs.jsonl`."""
    place = store.resolve()  # `.` has no name
    return place.with_name(f"{place.name}.runs.jsonl")


@dataclass(frozen=True, kw_only=True)
class GivenOptions:
    """The options of a call; those whose types `command_words` depends on are checked."""

    settings: Annotated[Mapping[str, str | int | float | bool] | None, SPARSE] = None
    places: Annotated[tuple[str, ...] | None, SPARSE] = None
    out: Annotated[str | tuple[str, ...] | None, SPARSE] = None
    others: Annotated[JsonObject, REST] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RunLine(Origin):
    """A line of the run record beside a store."""

    time: str = ""
    """When it ended."""
    host: str = ""
    target: Annotated[str | None, SPARSE] = None
    targets: Annotated[tuple[str, ...] | None, SPARSE] = None
    """Of RDMs that were trained together."""
    outcome: str | None = None
    seconds: NotBelow | None = None
    options: GivenOptions | None = None
    others: Annotated[JsonObject, REST] = field(default_factory=dict)


def record_run(store: Path, events: Events, **facts: Any) -> None:
    """Append a line: when it ended, where, on what machine, by which command and versions, and `facts` of RunLine.

    Where it cannot be written, `events` is warned.
    """
    words, host = tuple(sys.argv), socket.gethostname()
    line = RunLine(time=now(), host=host, machine=this_machine(), command=words, versions=versions(), **facts)
    text = json.dumps(to_json(line), ensure_ascii=False)
    try:
        append_line(runs_path(store), f"{text}\n".encode(errors="replace"))
    except DiskError as error:
        events.warn(error.message)


def run_lines(store: Path) -> list[RunLine]:
    """The run record beside a store; lines that are not a record are left out.

    Raises:
        CorruptError: It is no regular file, or too large.
    """
    try:
        texts = read_text(runs_path(store)).splitlines()
    except FileNotFoundError:
        return []
    return [line for line in map(_line, texts) if line is not None]


def _line(text: str) -> RunLine | None:
    try:
        return parse(RunLine, parse_json(text, "a line"), "a line", mend="")
    except CorruptError:
        return None

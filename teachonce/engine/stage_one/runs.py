"""The run record: one line of JSON a run, beside the store and never in it: a store holds no time and no host."""

import json
import socket
import sys
from pathlib import Path
from typing import Any

from teachonce.engine.machine import now, this_machine
from teachonce.engine.stage_one.contents import versions
from teachonce.fsio import append_line
from teachonce.records import to_json


def runs_path(store: Path) -> Path:
    """Where the runs of a store are recorded: `NAME.zarr.runs.jsonl`."""
    place = store.resolve()  # `.` has no name
    return place.with_name(f"{place.name}.runs.jsonl")


def record_run(store: Path, **facts: Any) -> None:
    """Append a line: when it ended, where, on what machine, by which command and versions, and `facts`.

    Raises:
        DiskError: It cannot be written.
    """
    line = {
        "time": now(),
        "host": socket.gethostname(),
        "machine": to_json(this_machine()),
        "command": sys.argv,
        "versions": versions(),
        **facts,
    }
    append_line(runs_path(store), (json.dumps(line, ensure_ascii=False) + "\n").encode(errors="replace"))

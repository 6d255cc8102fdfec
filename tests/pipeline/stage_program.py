"""A step that does as it is told."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teachonce.errors import MismatchError
from teachonce.events import Events


def do(events: Events, verb: str, order: Mapping[str, Any]) -> Any:
    if order.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(order["began"]).write_text(os.environ.get("OMP_NUM_THREADS", ""))
    for text in order.get("warns", ()):
        events.warn(text)
    if order.get("waits"):
        Path(order["waits"]).read_bytes()
    if order.get("dies"):
        events.epoch({})  # the warnings are in the log before
        os.write(2, order["dies"].encode())
        os.kill(os.getpid(), signal.SIGKILL)
    if order.get("fails"):
        raise MismatchError("no", "mend it")
    return order.get("gives", {"val_top1": 0.5})

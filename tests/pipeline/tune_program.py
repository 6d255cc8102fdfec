"""Stands in for a worker: dies, or chats and ends, as it is told."""

import os
import signal
import sys
from collections.abc import Mapping

from teachonce.events import Events
from teachonce.pipeline.tune.workers import PrunedError


def do(events: Events, options: Mapping[str, str]) -> bool:
    if options["do"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if options["do"] == "leave":
        sys.exit(3)
    if options["do"] == "hang":
        signal.pause()
    events.warn("careful")
    try:
        events.epoch({"epoch": 1})
    except PrunedError:
        return False
    return True

"""Stands in for a worker: dies, or chats and ends, as it is told."""

import json
import os
import signal
import sys

for line in sys.stdin:
    options = json.loads(line)
    if options["do"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if options["do"] == "leave":
        sys.exit(3)
    if options["do"] == "hang":
        signal.pause()
    messages = [{"warning": "careful"}, {"epoch": {"epoch": 1}}]
    for message in messages:
        sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
    enough = json.loads(sys.stdin.readline())["enough"]
    sys.stdout.write(json.dumps({"end": "pruned" if enough else "done"}) + "\n")
    sys.stdout.flush()

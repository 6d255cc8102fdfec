"""Stands in for a worker: dies, or chats and ends, as it is told."""

import os
import signal
import sys
from multiprocessing.connection import Connection

connection = Connection(int(sys.argv[1]))
options = connection.recv()
while True:
    if options["do"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if options["do"] == "leave":
        sys.exit(3)
    if options["do"] == "hang":
        signal.pause()
    connection.send(("warning", "careful"))
    connection.recv()
    connection.send(("epoch", {"epoch": 1}))
    connection.send(("end", not connection.recv()))
    options = connection.recv()

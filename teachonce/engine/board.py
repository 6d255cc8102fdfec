"""Numbers for TensorBoard, written at once: no thread that dies beside the training when the disk is full."""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from teachonce.fsio import make_folder


class Board:
    """One event file.

    Args:
        folder: Made if it is not there.
        done: Epochs that are finished; what other files of the folder say of later ones is not shown.

    Raises:
        DiskError: The folder cannot be made.
        OSError: The file cannot be written.
    """

    def __init__(self, folder: Path, done: int) -> None:
        make_folder(folder)
        now = time.time()
        name = f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}.{time.monotonic_ns()}"
        self._file = (folder / name).open("xb", buffering=0)
        self._records = RecordWriter(self._file)
        self._write(Event(wall_time=now, file_version="brain.Event:2"))
        start = SessionLog(status=SessionLog.SessionStatus.START)
        self._write(Event(wall_time=now, step=done + 1, session_log=start))

    def add(self, epoch: int, numbers: Mapping[str, float]) -> None:
        """Write the numbers of an epoch.

        Raises:
            OSError: They cannot be written.
        """
        values = [Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self._write(Event(wall_time=time.time(), step=epoch, summary=Summary(value=values)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, event: Event) -> None:
        self._records.write(event.SerializeToString())

"""Checking a store that is larger than memory while it is read."""

import threading
import time

from teachonce.cache.reader import TargetReader
from teachonce.errors import StoreError


class BackgroundCheck:
    """A thread that compares mapped chunks with their digests, in a bounded share of the time.

    What it finds is raised by the next read of the array.

    Args:
        reader: Its check is `background`.
        share: Of the time, and so of the disk's bandwidth, that the thread takes.
    """

    def __init__(self, reader: TargetReader, share: float = 0.2) -> None:
        self._reader, self._pause = reader, (1 - share) / share
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="teachonce-check", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.perf_counter()
            try:
                if not self._reader.check_next():
                    return
            except StoreError:  # kept by the rows, and raised where they are read
                return
            self._stop.wait((time.perf_counter() - began) * self._pause)

    def close(self) -> None:
        """Stop the thread, and wait for it."""
        self._stop.set()
        self._thread.join()

    def finish(self) -> int:
        """Check what is left, at full speed.

        Returns:
            How many rows were read before their chunks were checked.

        Raises:
            CorruptError: A chunk is not what was sealed.
        """
        self.close()
        while self._reader.check_next():
            pass
        return self._reader.unchecked_rows

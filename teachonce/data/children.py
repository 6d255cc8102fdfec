"""The parent's end of a decoding process."""

import subprocess
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from teachonce.data.decode import CODES, DecodeError
from teachonce.processes import environment, program


class ChildEndedError(Exception):
    """The process is gone: killed, or out of memory."""


class Child:
    """One decoding process; used by one thread at a time."""

    def __init__(self) -> None:
        # Its own program, not a fork or spawn: no locks inherited, no __main__ imported again, no shared memory needed.
        self._process = subprocess.Popen(
            program("teachonce.data.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def decode(self, files: Sequence[bytes | memoryview]) -> list[tuple[np.ndarray | DecodeError, int]]:
        """Decode image files, in order, each with what was done to it; see `decode_treated`.

        Raises:
            ChildEndedError: The process ended before it had answered.
        """
        if not files:
            return []
        lengths = np.array([len(file) for file in files], "<i8")
        header = np.empty((len(files), 4), "<i4")
        try:
            self._send(b"".join([len(files).to_bytes(8, "little"), lengths.tobytes(), *files]))
            self._receive(header.data.cast("B"))
            sizes = 3 * header[:, 0].astype(np.int64) * header[:, 1]
            pixels = np.empty(int(sizes.sum()), np.uint8)
            self._receive(pixels.data)
        except (OSError, ValueError, EOFError) as error:
            raise ChildEndedError from error
        parts = np.split(pixels, np.cumsum(sizes)[:-1])
        return [
            (DecodeError(CODES[code - 1]) if code else part.reshape(height, width, 3), treated)
            for (height, width, code, treated), part in zip(header.tolist(), parts, strict=True)
        ]

    def close(self) -> None:
        """End the process and wait for it."""
        self._process.kill()  # first, so that nobody waits on the pipes any more
        self._process.wait()
        with suppress(OSError):
            self._stdin.close()
        self._stdout.close()

    def _send(self, data: bytes) -> None:
        self._stdin.write(data)
        self._stdin.flush()

    def _receive(self, into: memoryview) -> None:
        while into:
            count = self._stdout.readinto(into)  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            into = into[count:]

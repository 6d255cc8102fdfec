"""A decoding process: image files in on stdin, pixels out on stdout. Started by `teachonce.data.workers`.

Small images spend their time in Python, where threads take turns; processes do not. It imports PIL and NumPy only.
A request is the number of files, their lengths (int64 each) and their bytes; the answer is height, width, the index
in CODES plus one, or zero, and what was done to it (int32 each) for every file, then the pixels of those that gave any.
It ends with its stdin.
"""

import signal
import sys
from typing import BinaryIO

import numpy as np

from teachonce.data.decode import CODES, DecodeError, decode_treated


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until they end."""
    while len(count := requests.read(8)) == 8:
        lengths = np.frombuffer(requests.read(8 * int.from_bytes(count, "little")), "<i8")
        results = [_decode(requests.read(length)) for length in lengths.tolist()]
        answers.write(np.array([header for header, _ in results], "<i4").tobytes())
        for _, pixels in results:
            answers.write(pixels)
        answers.flush()


def _decode(data: bytes) -> tuple[tuple[int, int, int, int], bytes]:
    try:
        image, treated = decode_treated(data)
    except DecodeError as error:
        return (0, 0, CODES.index(error.code) + 1, 0), b""
    return (image.shape[0], image.shape[1], 0, treated), image.tobytes()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides what ends
    serve(sys.stdin.buffer, sys.stdout.buffer)

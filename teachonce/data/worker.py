"""A decoding process: image files in, pixels out.

Small images spend their time in Python, where threads take turns; processes do not. It imports PIL and NumPy only.
"""

from collections.abc import Sequence

import numpy as np

from teachonce.data.decode import DecodeError, decode_treated
from teachonce.events import Events

Treated = tuple[np.ndarray | DecodeError, int]
"""An image, uint8 (H, W, 3), or why there is none; and what was done to it."""


def decode_files(events: Events, files: Sequence[bytes]) -> list[Treated]:
    """Decode image files, in order; see `decode_treated`."""
    return [_decoded(file) for file in files]


def _decoded(file: bytes) -> Treated:
    try:
        return decode_treated(file)
    except DecodeError as error:
        return error, 0

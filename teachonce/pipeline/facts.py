"""What a plan has to know of data, opened and hashed once for all steps that name the same."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.data.open import open_samples
from teachonce.data.samples import Samples
from teachonce.engine.evalfile import data_content
from teachonce.engine.records import DataContent
from teachonce.engine.rows import all_digests
from teachonce.events import SILENT, Events
from teachonce.pipeline.tables import OF_DATA

_Key = tuple[tuple[str, Any], ...]


class Facts:
    """Datasets by their options."""

    def __init__(self, events: Events = SILENT) -> None:
        self.events = events
        self._samples: dict[_Key, Samples] = {}
        self._digests: dict[_Key, NDArray[np.uint64]] = {}

    def samples(self, options: Mapping[str, Any], prefer: str = "train") -> Samples:
        """The data that a step's options name; `prefer` is the split where they name none.

        Raises:
            DataError: It cannot be opened.
        """
        key = _key(options, prefer)
        if key not in self._samples:
            given = {name: options[name] for name in OF_DATA[1:] if name in options}
            self._samples[key] = open_samples(options["data"], prefer=prefer, **given)
        return self._samples[key]

    def digests(self, options: Mapping[str, Any], prefer: str = "train") -> NDArray[np.uint64]:
        """The identities of its rows, uint64 (rows,)."""
        key = _key(options, prefer)
        if key not in self._digests:
            self._digests[key] = all_digests(self.samples(options, prefer), self.events)
        return self._digests[key]

    def content(self, options: Mapping[str, Any], prefer: str = "train") -> DataContent:
        """What tells this data from other data."""
        return data_content(self.samples(options, prefer), self.digests(options, prefer))


def _key(options: Mapping[str, Any], prefer: str) -> _Key:
    return (("prefer", prefer), *((name, options.get(name)) for name in OF_DATA))

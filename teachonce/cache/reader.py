"""Random access to a sealed target."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from teachonce.cache.chunks import read_whole
from teachonce.cache.targets import TargetRecord, target_grids
from teachonce.errors import StoreMissingError


class TargetReader:
    def __init__(self, path: Path, record: TargetRecord, *, block_rows: int, budget_bytes: int | None = None) -> None:
        self._path, self.record = path, record
        self.spec = record.spec
        self.tier = "resident"
        self._grids = {grid.name: grid for grid in target_grids(record.name, record.arrays, block_rows)}
        self._arrays: dict[str, Any] = {}

    def _array(self, name):
        if name not in self._arrays:
            if name not in self._grids:
                raise StoreMissingError(f"no array {name}")
            self._arrays[name] = read_whole(self._path, self._grids[name])
        return self._arrays[name]

    def read(self, array: str, rows: NDArray[np.int64], view: int | NDArray[np.int64] = 0) -> NDArray[Any]:
        return self._array(array)[rows, view]

    def all(self, array: str, view: int = 0) -> NDArray[Any]:
        return self._array(array)[:, view].copy()

    def verify(self) -> None:
        pass

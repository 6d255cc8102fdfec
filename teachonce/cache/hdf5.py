"""Writing HDF5 so that a full disk is an error in Python and not the end of the process."""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from teachonce.cache.chunks import Chunks
from teachonce.cache.identity import canonical_json
from teachonce.cache.layout import Grid


class GuardedFile(io.RawIOBase):
    """A file that HDF5 writes through, and that keeps the first failure to itself until it is asked.

    Where a write fails below it, the HDF5 library fails again in every destructor, and in the end in a segmentation
    fault; so it is told that all is well, and the caller calls `check`.
    """

    def __init__(self, file: io.FileIO) -> None:
        """Write through an open file."""
        self._file = file
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the first failure.

        Raises:
            OSError: There was one.
        """
        if self._error is not None:
            raise self._error

    def write(self, data: Any) -> int:
        """Write all of `data`, or remember why not."""
        try:
            self._write(memoryview(data))
        except OSError as error:
            self._error = self._error or error
        return len(data)

    def _write(self, data: memoryview) -> None:
        while data:
            data = data[self._file.write(data) :]

    def truncate(self, size: int | None = None) -> int:
        """Set the size, or remember why not."""
        try:
            return self._file.truncate(size)
        except OSError as error:
            self._error = self._error or error
            return size or 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """As any file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As any file."""
        return self._file.tell()

    def readinto(self, buffer: Any) -> int | None:
        """As any file."""
        return self._file.readinto(buffer)


def write_hdf5(out: Path, arrays: Sequence[tuple[Grid, Chunks]], provenance: Mapping[str, Mapping[str, Any]]) -> None:
    """Write arrays of a store as datasets, and attributes of groups; objects and lists as JSON text.

    Raises:
        OSError: It cannot be written.
    """
    import h5py

    with io.FileIO(out, "w+") as file:
        guarded = GuardedFile(file)
        try:
            # attributes above 64 kB (many class names) need a file of HDF5 1.8 at least
            with h5py.File(guarded, "w", libver=("v108", "latest")) as target:
                for grid, chunks in arrays:
                    _write_array(target, guarded, chunks, grid)
                for group, attributes in provenance.items():
                    _write_attributes(target.require_group(group) if group else target, attributes)
        except (OSError, RuntimeError):
            guarded.check()  # HDF5 may have stumbled over what was not written
            raise
        guarded.check()
        os.fsync(file.fileno())


def _write_array(target: Any, guarded: GuardedFile, chunks: Chunks, grid: Grid) -> None:
    dataset = target.create_dataset(grid.path, grid.shape, grid.numpy)
    if grid.dtype == "bfloat16":
        dataset.attrs["dtype"] = grid.dtype
    for rows, values in chunks.row_blocks(grid):
        dataset[rows] = values
        guarded.check()


def _write_attributes(node: Any, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        node.attrs[name] = value if isinstance(value, (str, int, float)) else canonical_json(value).decode()

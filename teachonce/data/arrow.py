"""Samples of a `datasets.Dataset`: encoded images straight from its Arrow table, without a copy."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from teachonce.data.captions import Captions
from teachonce.data.decode import MISSING, TOO_LARGE, DecodeError, decode_image
from teachonce.data.samples import count_classes
from teachonce.data.walk import shown
from teachonce.digests import digest_bytes
from teachonce.errors import CorruptError, DataError
from teachonce.fsio import open_regular, require_regular
from teachonce.types import Identity, JsonObject

_MOST = 1 << 30  # bytes of an image file


class ArrowSamples:
    """The rows of a dataset whose image column holds encoded bytes or paths; identity "encoded", or "key".

    Args:
        dataset: A `datasets.Dataset` without an index mapping, its image column cast to `Image(decode=False)`.
        image: The image column's name.
        labels: int32 (rows,), or None.
        class_names: One a class, or None.
        keys: One text a row that identifies it in place of its bytes, or None.
        captions: Texts of the rows, or None.
        description: Where the data came from, as JSON.
    """

    def __init__(
        self,
        dataset: Any,
        image: str,
        *,
        labels: np.ndarray | None = None,
        class_names: tuple[str, ...] | None = None,
        keys: list[str] | None = None,
        captions: Captions | None = None,
        description: JsonObject,
    ) -> None:
        self._dataset, self._image, self._keys = dataset, image, keys
        self.rows: int = len(dataset)
        self.identity: Identity = "encoded" if keys is None else "key"
        self.labels = labels
        self.class_names = class_names
        self.captions = captions
        self.classes = count_classes(labels, class_names)
        self.description = description

    def encoded(self, row: int) -> memoryview:
        """See EncodedSamples.encoded."""
        file = self.file(row)
        if not isinstance(file, str):
            return file
        if not file:
            raise DecodeError(MISSING)
        return memoryview(_read(file))

    def file(self, row: int) -> str | memoryview:
        """The bytes of the row's image file where the table holds them, else its path; empty where it has neither."""
        data, path = self._cells(row)
        if data.is_valid:
            return memoryview(data.as_buffer())
        return _path(path) if path.is_valid else ""

    def name(self, row: int) -> str | None:
        """The row's key, or the path of its file; None where it has neither."""
        if self._keys is not None:
            return self._keys[row]
        path = self._cells(row)[1]
        return shown(_path(path)) if path.is_valid else None

    def _cells(self, row: int) -> tuple[pa.Scalar, pa.Scalar]:
        """The row's bytes and path.

        Raises:
            DataError: There is no such row.
        """
        chunk, place = chunk_of(self._starts, row, self._dataset.data.num_rows)
        data, path = self._chunks[chunk]
        return data[place], path[place]

    def digest(self, row: int) -> int:
        """See Samples.digest."""
        if self._keys is not None:
            return digest_bytes(self._keys[row].encode())
        try:
            return digest_bytes(self.encoded(row))
        except DecodeError:
            return 0

    def decode(self, row: int) -> np.ndarray:
        """See Samples.decode."""
        return decode_image(self.encoded(row))

    def __getstate__(self) -> dict[str, Any]:
        # The dataset pickles as its files; the Arrow arrays below would pickle as their bytes.
        return {name: value for name, value in self.__dict__.items() if name not in ("_chunks", "_starts")}

    @cached_property
    def _chunks(self) -> list[tuple[pa.Array, pa.Array]]:
        chunks = (chunk for chunk in self._dataset.data.column(self._image).chunks if len(chunk))
        return [(parts[0], parts[1]) for parts in (chunk.flatten() for chunk in chunks)]

    @cached_property
    def _starts(self) -> np.ndarray:
        return chunk_starts([data for data, _ in self._chunks])


def chunk_starts(chunks: Sequence[pa.Array]) -> np.ndarray:
    """The first row of each chunk, int64 (chunks,); none is empty."""
    return np.cumsum([0, *map(len, chunks)])[:-1]


def chunk_of(starts: np.ndarray, row: int, rows: int) -> tuple[int, int]:
    """The chunk of a row, and the row's place in it.

    Raises:
        DataError: There is no such row; of several chunks, a negative one would give another's.
    """
    if not 0 <= row < rows:
        raise DataError(f"expected a row from 0 to {rows - 1}, got {row}", "Count from the first row")
    chunk = int(np.searchsorted(starts, row, side="right")) - 1
    return chunk, row - int(starts[chunk])


def _path(cell: pa.Scalar) -> str:
    """A path as the system names it: its bytes need not be UTF-8."""
    return os.fsdecode(cell.as_buffer().to_pybytes())


def _read(path: str) -> bytes:
    path = _local(path)
    if "://" in path:
        return _fetch(path)
    try:
        with os.fdopen(open_regular(Path(path)), "rb") as file:
            if os.fstat(file.fileno()).st_size > _MOST:
                raise DecodeError(TOO_LARGE)
            return file.read()
    except (OSError, ValueError, CorruptError):  # ValueError: no file can have this name
        raise DecodeError(MISSING) from None


def _fetch(url: str) -> bytes:
    """A file by its URL, or out of an archive: `zip://a.png::FILE`."""
    from datasets.download.streaming_download_manager import xopen

    try:
        archive = _local(url.rpartition("::")[2])
        if "://" not in archive:
            require_regular(Path(archive))
        with xopen(url, "rb") as file:
            data = bytes(file.read(_MOST + 1))
    except Exception:  # noqa: BLE001  (each file system that a URL may name has errors of its own)
        raise DecodeError(MISSING) from None
    if len(data) > _MOST:
        raise DecodeError(TOO_LARGE)
    return data


def _local(url: str) -> str:
    return url.removeprefix("file://").removeprefix("local://")

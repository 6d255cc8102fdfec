"""Texts of a `datasets.Dataset`: columns of one text a row, or of a list of them."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from teachonce.data.arrow import chunk_of, chunk_starts
from teachonce.data.columns import column_type
from teachonce.errors import DataError
from teachonce.events import SILENT, Events
from teachonce.types import JsonObject

_OPTION = "text_columns"
_SPACE = " \t\n\v\f\r"  # as Arrow's function for ASCII has it
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)


class ColumnCaptions:
    """The texts of some columns: of each row those of the first column, then those of the next.

    Null and texts of nothing but white space are none. A text is otherwise taken as it is, byte for byte.

    Args:
        dataset: A `datasets.Dataset` without an index mapping.
        columns: Its columns, each another, of texts or of lists of texts.
        description: Where the texts came from, as JSON.
        events: Is told of rows without a text.

    Raises:
        DataError: A column is absent (the nearest name is told), is named twice, or holds something else; no row has a
            text.
    """

    def __init__(self, dataset: Any, columns: Sequence[str], description: JsonObject, events: Events = SILENT) -> None:
        _check(dataset.features, columns)
        self._dataset, self._columns = dataset.select_columns(list(columns)), tuple(columns)
        self.rows: int = len(dataset)
        self.description: JsonObject = {**description, "text_columns": list(columns)}
        self.counts: NDArray[np.int32] = np.sum([_counts(chunks) for chunks, _ in self._chunks], 0, np.int32)
        self.most = int(self.counts.max())
        where = ", ".join(columns)
        if not self.most:
            raise DataError(f"expected texts in {where}, got none in {self.rows} rows", f"Choose others with {_OPTION}")
        if without := int((self.counts == 0).sum()):
            events.info(f"{without} of {self.rows} rows have no text in {where}")

    def texts(self, rows: Sequence[int] | NDArray[np.integer]) -> list[list[str]]:
        """See Captions.texts."""
        return [list(self._of(int(row))) for row in rows]

    def _of(self, row: int) -> Iterator[str]:
        for name, (chunks, starts) in zip(self._columns, self._chunks, strict=True):
            chunk, place = chunk_of(starts, row, self.rows)
            try:
                value = chunks[chunk][place].as_py()
            except UnicodeDecodeError as error:
                message = f"expected texts in UTF-8 in column {name!r}, got other bytes in row {row}"
                raise DataError(message, "Write the table again with the texts in UTF-8") from error
            for text in [value] if isinstance(value, str) else value or ():
                if text and text.strip(_SPACE):
                    yield text

    def __getstate__(self) -> dict[str, Any]:
        # The dataset pickles as its files; the Arrow arrays below would pickle as their bytes.
        return {name: value for name, value in self.__dict__.items() if name != "_chunks"}

    @cached_property
    def _chunks(self) -> list[tuple[list[pa.Array], np.ndarray]]:
        """Of each column, its arrays and where they start."""
        columns = [_plain(self._dataset.data.column(name)) for name in self._columns]
        kept = [[chunk for chunk in column.chunks if len(chunk)] for column in columns]
        return [(chunks, chunk_starts(chunks)) for chunks in kept]


def _check(features: Any, named: Sequence[str]) -> None:
    for name in named:
        kind = column_type(features, name, _OPTION)
        if not _holds_texts(kind):
            hint = f"Choose another with {_OPTION}, or convert it"
            raise DataError(f"expected texts, or lists of texts, in column {name!r}, got {kind}", hint)
        if named.count(name) > 1:
            raise DataError(f"expected different columns of texts, got {name!r} twice", f"Name it once with {_OPTION}")


def _holds_texts(kind: pa.DataType) -> bool:
    inner = kind.value_type if any(test(kind) for test in _LISTS) else kind
    return any(test(inner) for test in _TEXTS)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without views, for which Arrow lacks functions; a copy only where there are some."""
    kind = column.type
    if pa.types.is_string_view(kind):
        return column.cast(pa.large_string())
    if any(test(kind) for test in _LISTS) and pa.types.is_string_view(kind.value_type):
        return column.cast(pa.large_list(pa.large_string()))
    return column


def _counts(chunks: Sequence[pa.Array]) -> NDArray[np.int32]:
    """How many texts each row of a column has, int32 (rows,)."""
    return np.concatenate([_counts_of(chunk) for chunk in chunks])


def _counts_of(chunk: pa.Array) -> NDArray[np.int32]:
    nested = any(test(chunk.type) for test in _LISTS)
    texts = pc.list_flatten(chunk) if nested else chunk
    there = pc.fill_null(pc.greater(pc.binary_length(pc.ascii_trim_whitespace(texts)), 0), False).to_numpy(False)
    if not nested:
        return np.asarray(there, np.int32)
    rows = pc.list_parent_indices(chunk).to_numpy()
    return np.bincount(rows[there], minlength=len(chunk)).astype(np.int32)

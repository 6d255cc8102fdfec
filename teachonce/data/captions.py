"""Texts that belong to the rows of data: several a row, each known by its own digest."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from teachonce.digests import digest_bytes
from teachonce.types import JsonObject


class Captions(Protocol):
    """Texts of stable rows, as many a row as it has. Implementations can be pickled, and read from several threads."""

    @property
    def rows(self) -> int:
        """The number of rows, that of the samples."""

    @property
    def most(self) -> int:
        """T, the most texts of a row; at least 1."""

    @property
    def counts(self) -> NDArray[np.int32]:
        """How many texts each row has, int32 (rows,), from 0 to `most`."""

    @property
    def description(self) -> JsonObject:
        """Where the texts came from, as JSON."""

    def texts(self, rows: Sequence[int] | NDArray[np.integer]) -> list[list[str]]:
        """The texts of each of these rows, in their order: at most `most`, none empty; a row may have none.

        Raises:
            DataError: A text cannot be read, or there is no such row.
        """


@runtime_checkable
class CaptionedSamples(Protocol):
    """Samples whose rows may have texts."""

    @property
    def captions(self) -> Captions | None:
        """The texts; None where none were asked for."""


@runtime_checkable
class PromptedSamples(Protocol):
    """Samples that bring texts of their classes, for zero-shot."""

    @property
    def prompts(self) -> tuple[tuple[str, ...], ...]:
        """One or more texts of each class, in label order."""


def text_digest(text: str) -> int:
    """The identity of a text: xxh3-64 of its bytes in UTF-8, whatever row it belongs to."""
    return digest_bytes(text.encode())


def text_digests(
    captions: Captions, rows: Sequence[int] | NDArray[np.integer]
) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """The identities of the texts of some rows.

    Returns:
        uint64 (n, T), padded with 0 to `captions.most`, and how many texts each row has, int32 (n,).

    Raises:
        DataError: See `Captions.texts`.
    """
    digests = np.zeros((len(rows), captions.most), np.uint64)
    for row, own in enumerate(captions.texts(rows)):
        digests[row, : len(own)] = [text_digest(text) for text in own]
    return digests, captions.counts[np.asarray(rows, np.int64)]

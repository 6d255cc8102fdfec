"""The journal of a training: metrics.jsonl, one line an epoch, and for most the same numbers for TensorBoard."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teachonce.engine.shapes import MetricsLine
from teachonce.fsio import append_line, disk_errors, parse_json, read_text, write_bytes
from teachonce.validation import require_type

METRICS = "metrics.jsonl"
_BOARD = "tensorboard"
_MEND = "Restore it from a copy, or leave the run out"


class MetricsLog:
    """Appends one line an epoch; after a resume no epoch is there twice.

    Args:
        run: The folder of the run.
        done: Epochs that are finished; whatever was logged after them is dropped.
        board: Whether to write the numbers for TensorBoard, too.
    """

    def __init__(self, run: Path, done: int, *, board: bool = True) -> None:
        self.path = run / METRICS
        kept = [line for line in read_metrics(run) if line["epoch"] <= done]
        write_bytes(self.path, b"".join(_line(entry) for entry in kept))
        self.entries = kept
        with disk_errors(run / _BOARD):
            self._board = _board(run / _BOARD, done) if board else None

    def append(self, entry: Mapping[str, Any]) -> None:
        """Log one epoch, durably.

        Raises:
            DiskError: It could not be written.
        """
        append_line(self.path, _line(entry))
        self.entries.append(dict(entry))
        if self._board is None:
            return
        with disk_errors(self.path.parent / _BOARD):
            numbers = {name: value for name, value in entry.items() if name != "epoch" and value is not None}
            self._board.add(entry["epoch"], numbers)

    def close(self) -> None:
        """Finish the TensorBoard file."""
        if self._board is not None:
            with disk_errors(self.path.parent / _BOARD):
                self._board.close()


def read_metrics(run: Path, *, finished: bool = False) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl in order; where the run is not finished, without a last line that a kill cut short.

    Raises:
        CorruptError: A line cannot be read.
    """
    path = run / METRICS
    try:
        lines = read_text(path, mend=_MEND).split("\n")
    except FileNotFoundError:
        return []
    entries = [parse_json(line, str(path), mend=_MEND) for line in (lines if finished else lines[:-1]) if line.strip()]
    require_type(list[MetricsLine], entries, f"{path} cannot be read: it", mend=_MEND)
    return entries


def _line(entry: Mapping[str, Any]) -> bytes:
    return (json.dumps(dict(entry), allow_nan=False) + "\n").encode()


def _board(folder: Path, done: int) -> Any:
    from teachonce.engine.board import Board  # slow to import, and not needed to evaluate

    return Board(folder, done)

"""The journal of a training: metrics.jsonl, one line an epoch, and for most the same numbers for TensorBoard."""

import json
from pathlib import Path
from typing import Any, Generic, TypeVar

from teachonce.engine.records import Epoch, RdmEpoch
from teachonce.fsio import append_line, disk_errors, parse_json, read_text, write_bytes
from teachonce.records import parse, to_json

METRICS = "metrics.jsonl"
Line = TypeVar("Line", Epoch, RdmEpoch)
_BOARD = "tensorboard"
_MEND = "Restore it from a copy, or leave the run out"


class MetricsLog(Generic[Line]):
    """Appends one line an epoch; after a resume no epoch is there twice.

    Args:
        kind: Of its lines.
        run: The folder of the run.
        done: Epochs that are finished; whatever was logged after them is dropped.
        board: Whether to write the numbers for TensorBoard, too.
    """

    def __init__(self, kind: type[Line], run: Path, done: int, *, board: bool = True) -> None:
        self.path = run / METRICS
        kept: list[Line] = [line for line in _read(kind, run, finished=False) if line.epoch <= done]
        write_bytes(self.path, b"".join(_line(entry) for entry in kept))
        self.entries: list[Line] = kept
        with disk_errors(run / _BOARD):
            self._board = _board(run / _BOARD, done) if board else None

    def append(self, entry: Line) -> None:
        """Log one epoch, durably.

        Raises:
            DiskError: It could not be written.
        """
        append_line(self.path, _line(entry))
        self.entries.append(entry)
        if self._board is None:
            return
        with disk_errors(self.path.parent / _BOARD):
            numbers = {name: value for name, value in to_json(entry).items() if name != "epoch" and value is not None}
            self._board.add(entry.epoch, numbers)

    def close(self) -> None:
        """Finish the TensorBoard file."""
        if self._board is not None:
            with disk_errors(self.path.parent / _BOARD):
                self._board.close()


def read_metrics(run: Path, *, finished: bool = False) -> list[Epoch]:
    """The lines of metrics.jsonl in order; where the run is not finished, without a last line that a kill cut short.

    Raises:
        CorruptError: A line cannot be read.
    """
    return _read(Epoch, run, finished=finished)


def _read(kind: type[Line], run: Path, *, finished: bool) -> list[Line]:
    path = run / METRICS
    try:
        lines = read_text(path, mend=_MEND).split("\n")
    except FileNotFoundError:
        return []
    entries = [parse_json(line, str(path), mend=_MEND) for line in (lines if finished else lines[:-1]) if line.strip()]
    return parse(list[kind], entries, f"{path} cannot be read: it", mend=_MEND)  # type: ignore[valid-type]


def _line(entry: Epoch | RdmEpoch) -> bytes:
    return (json.dumps(to_json(entry), allow_nan=False) + "\n").encode()


def _board(folder: Path, done: int) -> Any:
    from teachonce.engine.board import Board  # slow to import, and not needed to evaluate

    return Board(folder, done)

"""Small teachers and data for the tests of stage one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from teachonce.data.digits import load_digits
from teachonce.data.samples import ArraySamples
from teachonce.events import Silent, Task
from teachonce.models import Signals, Teacher, build_student, from_student

BLOCK = 64


def teacher(seed: int = 0, classes: int = 10, names: tuple[str, ...] | None = None) -> Teacher:
    """A CNN with random weights that sees 16 x 16 pixels."""
    student = build_student("cnn-2", classes=classes, image_size=16, seed=seed)
    return from_student(student, name="cnn-2", class_names=names)


def attentive() -> Teacher:
    """A teacher with every kind of attention, whose last bits show which kernel computed it."""
    student = build_student("tests.models.student_factories:attentive", classes=10, image_size=16)
    return from_student(student, name="attentive")


def digits(rows: int | None = None) -> ArraySamples:
    return load_digits("all", rows)


class Wrapped(Teacher):
    """A teacher whose signal is changed, or listened to; of one sample, for counting operations, it is not."""

    def __init__(self, inner: Teacher, change: Callable[[Tensor, Signals], Signals]) -> None:
        super().__init__(inner.info)
        self._inner, self._change = inner, change
        self.freeze()

    def forward(self, pixels: Tensor) -> Signals:
        signal = self._inner(pixels)
        return signal if len(pixels) == 1 else self._change(pixels, signal)

    def head(self) -> tuple[Tensor, Tensor | None] | None:
        return self._inner.head()


def spoiled(inner: Teacher, value: float, batch: int) -> Wrapped:
    """Writes a value into the third row of the embeddings of one batch, counted from 0."""
    seen = iter(range(1 << 30))

    def change(pixels: Tensor, signal: Signals) -> Signals:
        if next(seen) == batch:
            signal["image_embedding"][2, 1] = value
        return signal

    return Wrapped(inner, change)


class Heard(Silent):
    """Events that are kept, and the totals of teacher passes; `at_row` calls something once so many rows are done."""

    def __init__(self, at_row: int | None = None, call: Callable[[], None] | None = None) -> None:
        self.infos: list[str] = []
        self.warnings: list[str] = []
        self.totals: list[tuple[int, int]] = []
        self.done = 0
        self._at_row, self._call = at_row, call

    def info(self, text: str) -> None:
        self.infos.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    @contextmanager
    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> Iterator[Task]:
        if title.startswith("run the teacher"):
            self.totals.append((total, done))
        self.done = done
        yield self

    def advance(self, amount: int = 1) -> None:
        self.done += amount
        if self._at_row is not None and self.done >= self._at_row and self._call is not None:
            self._at_row = None
            self._call()

    def note(self, text: str) -> None:
        pass


def interrupted() -> None:
    raise KeyboardInterrupt


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def options(store: Path, **changed: Any) -> dict[str, Any]:
    """The settings of a small pass."""
    common = {"store": store, "block_rows": BLOCK, "batch_size": 48, "device": "cpu", "workers": 0}
    return common | changed


def live(model: Teacher, pixels: Tensor, batch: int) -> Signals:
    """The signal of all rows, batch by batch."""
    with torch.inference_mode():
        signals = [model(part) for part in pixels.split(batch)]
    return {name: torch.cat([each[name] for each in signals]) for name in signals[0]}

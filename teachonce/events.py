"""What long work tells whoever watches: progress, notes, warnings. The console draws it; by default nobody watches."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from teachonce.texts import duration_text, rate_text

INTERVAL = 10.0
"""Seconds between two lines of a task."""


class Task(Protocol):
    """A piece of long work that is being watched."""

    def advance(self, amount: int = 1) -> None:
        """Report that `amount` more units are done."""

    def note(self, text: str) -> None:
        """Show a short text beside the progress, such as a loss."""


class Events(Protocol):
    """The one interface between work and its audience."""

    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> AbstractContextManager[Task]:
        """Begin long work of `total` units, of which `done` are there already; use as a context manager."""

    def epoch(self, entry: Mapping[str, Any]) -> None:
        """Report an epoch that is trained and kept: its line of metrics.jsonl.

        An exception that is raised here ends the training; the same call goes on after this epoch.
        """

    def info(self, text: str) -> None:
        """Say something worth knowing, one line."""

    def warn(self, text: str) -> None:
        """Say something that may be wrong, one line."""


class _SilentTask:
    def advance(self, amount: int = 1) -> None:
        """Nobody watches."""

    def note(self, text: str) -> None:
        """Nobody watches."""


class Silent:
    """Events that nobody watches; the default of every function of the Python API."""

    @contextmanager
    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> Iterator[Task]:
        """See Events.task."""
        yield _SilentTask()

    def epoch(self, entry: Mapping[str, Any]) -> None:
        """See Events.epoch."""

    def info(self, text: str) -> None:
        """See Events.info."""

    def warn(self, text: str) -> None:
        """See Events.warn."""


SILENT = Silent()


@dataclass
class WarnOnce:
    """Events that pass everything on, each warning once, and keep the warnings."""

    events: Events = SILENT
    warnings: list[str] = field(default_factory=list)

    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> AbstractContextManager[Task]:
        """See Events.task."""
        return self.events.task(title, total=total, done=done, unit=unit)

    def epoch(self, entry: Mapping[str, Any]) -> None:
        """See Events.epoch."""
        self.events.epoch(entry)

    def info(self, text: str) -> None:
        """See Events.info."""
        self.events.info(text)

    def warn(self, text: str) -> None:
        """See Events.warn."""
        if text not in self.warnings:
            self.warnings.append(text)
            self.events.warn(text)


class Lines(Silent):
    """Events as lines of text: a task says how far it is when it begins, at intervals, and when it ends.

    Args:
        say: Takes a line.
        clock: Seconds.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock

    @contextmanager
    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> Iterator[Task]:
        """See Events.task."""
        task = _TaskInLines(self._say, self._clock, title, total, done, unit)
        task.tell(left=True)
        yield task
        task.tell(left=False)

    def info(self, text: str) -> None:
        """See Events.info."""
        self._say(text)

    def warn(self, text: str) -> None:
        """See Events.warn."""
        self._say(f"warning: {text}")


class _TaskInLines:
    """Says how far it is at the start, every INTERVAL seconds and at the end."""

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float], title: str, total: int, done: int, unit: str
    ) -> None:
        self.say, self.clock, self.title, self.total, self.unit = say, clock, title, total, unit
        self.first = self.done = done
        self.began = self.said = clock()
        self.text = ""

    def advance(self, amount: int = 1) -> None:
        """See Task.advance."""
        self.done += amount
        if self.clock() - self.said >= INTERVAL and self.done < self.total:
            self.said = self.clock()
            self.tell(left=True)

    def note(self, text: str) -> None:
        """See Task.note."""
        self.text = text

    def tell(self, *, left: bool) -> None:
        """Say how far it is, and with `left` how long it will take."""
        self.say(self._line(left=left))

    def _line(self, *, left: bool) -> str:
        seconds = self.clock() - self.began
        rate = (self.done - self.first) / seconds if seconds > 0 else 0.0
        parts = [f"{self.title}: {self.done:,}/{self.total:,} {self.unit}"]
        if rate > 0:
            parts.append(f"{rate_text(rate)} {self.unit}/s")
        if rate > 0 and left and self.done < self.total:
            parts.append(f"{duration_text((self.total - self.done) / rate)} left")
        return ", ".join(parts + ([self.text] if self.text else []))

"""What long work tells whoever watches: progress, notes, warnings. The console draws it; by default nobody watches."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol


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

"""Progress on stderr: a bar with rate and time left on a terminal, plain lines at intervals elsewhere."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Task as RichTask
from rich.text import Text

from teachonce.console.terminal import Terminal
from teachonce.console.texts import rate_text
from teachonce.events import Lines, Task


class _RateColumn(ProgressColumn):
    """Units a second."""

    def render(self, task: RichTask) -> Text:
        average = (task.completed - task.fields["first"]) / task.elapsed if task.elapsed else 0.0
        speed = task.speed or average
        return Text(f"{rate_text(speed)} {task.fields['unit']}/s" if speed else "", style="cyan")


class _BarTask:
    """A bar of a shared rich Progress."""

    def __init__(self, progress: Progress, title: str, total: int, done: int, unit: str) -> None:
        self.progress = progress
        self.id = progress.add_task(title, total=total, completed=done, first=done, unit=unit, text="")

    def advance(self, amount: int = 1) -> None:
        self.progress.advance(self.id, amount)

    def note(self, text: str) -> None:
        self.progress.update(self.id, text=text)


class RichEvents:
    """Events drawn on stderr. Nested tasks share one set of bars.

    Args:
        file: Where to draw; None is stderr.
        clock: Seconds, for the plain lines.
    """

    def __init__(self, file: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = Terminal(file=file, stderr=file is None, soft_wrap=True)
        self.clock = clock
        self._progress: Progress | None = None
        self._open = 0

    @contextmanager
    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> Iterator[Task]:
        """See Events.task."""
        if self.console.is_terminal:
            with self._bars() as progress:
                bar = _BarTask(progress, title, total, done, unit)
                yield bar
                progress.refresh()
        else:
            with Lines(self._say, self.clock).task(title, total=total, done=done, unit=unit) as plain:
                yield plain

    @contextmanager
    def _bars(self) -> Iterator[Progress]:
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"),
                _RateColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[text]}", style="dim", markup=False),
                console=self.console,
            )
            self._progress.start()
        self._open += 1
        progress = self._progress
        try:
            yield progress
        finally:
            self._open -= 1
            if not self._open:
                progress.stop()
                self._progress = None

    def epoch(self, entry: Mapping[str, Any]) -> None:
        """See Events.epoch; the bar says it all."""

    def info(self, text: str) -> None:
        """See Events.info."""
        self._say(text)

    def warn(self, text: str) -> None:
        """See Events.warn."""
        self.console.print(Text("warning: ", style="yellow") + Text(text))

    def _say(self, text: str) -> None:
        self.console.print(Text(text))

"""Progress on stderr: a bar with rate and time left on a terminal, plain lines at intervals elsewhere."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Task as RichTask
from rich.text import Text

from teachonce.console.terminal import Terminal
from teachonce.console.texts import duration_text, rate_text
from teachonce.events import Task

INTERVAL = 10.0  # seconds between plain lines


class _RateColumn(ProgressColumn):
    """Units a second."""

    def render(self, task: RichTask) -> Text:
        average = (task.completed - task.fields["first"]) / task.elapsed if task.elapsed else 0.0
        speed = task.speed or average
        return Text(f"{rate_text(speed)} {task.fields['unit']}/s" if speed else "", style="cyan")


class _PlainTask:
    """Says how far it is at the start, every INTERVAL seconds and at the end."""

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float], title: str, total: int, done: int, unit: str
    ) -> None:
        self.say, self.clock, self.title, self.total, self.unit = say, clock, title, total, unit
        self.first = self.done = done
        self.began = self.said = clock()
        self.text = ""

    def advance(self, amount: int = 1) -> None:
        self.done += amount
        if self.clock() - self.said >= INTERVAL and self.done < self.total:
            self.said = self.clock()
            self.tell(left=True)

    def note(self, text: str) -> None:
        self.text = text

    def tell(self, *, left: bool) -> None:
        """Say how far it is, and with `left` how long it will take."""
        self.say(self.line(left=left))

    def line(self, *, left: bool) -> str:
        seconds = self.clock() - self.began
        rate = (self.done - self.first) / seconds if seconds > 0 else 0.0
        parts = [f"{self.title}: {self.done:,}/{self.total:,} {self.unit}"]
        if rate > 0:
            parts.append(f"{rate_text(rate)} {self.unit}/s")
        if rate > 0 and left and self.done < self.total:
            parts.append(f"{duration_text((self.total - self.done) / rate)} left")
        return ", ".join(parts + ([self.text] if self.text else []))


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
            plain = _PlainTask(self._say, self.clock, title, total, done, unit)
            plain.tell(left=True)
            yield plain
            plain.tell(left=False)

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

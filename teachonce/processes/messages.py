"""What a process tells its parent while it works: its events, which the parent shows as its own."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

from teachonce.events import Events, Task

Pipe = Connection
_INTERVAL = 0.1  # seconds between two messages of a task's progress


class Sender:
    """The events of a process, sent to its parent; and whatever else is sent.

    Args:
        pipe: The process's end.
    """

    def __init__(self, pipe: "Pipe[Any, Any]") -> None:
        self._pipe, self._numbers, self._guard = pipe, itertools.count(), threading.Lock()

    def send(self, kind: str, *values: object) -> None:
        """Send a message.

        Raises:
            KeyboardInterrupt: The parent is gone.
        """
        with self._guard, _hung_up():
            self._pipe.send((kind, values))

    @contextmanager
    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> Iterator[Task]:
        """See Events.task."""
        number = next(self._numbers)
        self.send("task", number, title, total, done, unit)
        task = _SentTask(lambda *values: self.send("progress", number, *values))
        yield task
        task.tell(0)
        self.send("end", number)

    def epoch(self, entry: Mapping[str, Any]) -> None:
        """See Events.epoch: what the parent's raises is raised here."""
        with self._guard, _hung_up():
            self._pipe.send(("epoch", (dict(entry),)))
            error = self._pipe.recv()
        if error is not None:
            raise error

    def info(self, text: str) -> None:
        """See Events.info."""
        self.send("info", text)

    def warn(self, text: str) -> None:
        """See Events.warn."""
        self.send("warn", text)


@contextmanager
def _hung_up() -> Iterator[None]:
    """Nobody is there any more: as if the process were interrupted."""
    try:
        yield
    except (EOFError, ConnectionError) as error:
        raise KeyboardInterrupt from error


class _SentTask:
    """Adds up what is done between two messages: some tasks advance a thousand times a second."""

    def __init__(self, send: Callable[[int, str | None], None]) -> None:
        self._send = send
        self._amount, self._sent = 0, float("-inf")
        self._note: str | None = None

    def advance(self, amount: int = 1) -> None:
        """See Task.advance."""
        self._amount += amount
        self.tell(_INTERVAL)

    def note(self, text: str) -> None:
        """See Task.note."""
        self._note = text
        self.tell(_INTERVAL)

    def tell(self, interval: float) -> None:
        """Send what is new, if the last message is so many seconds old."""
        now = time.monotonic()
        if now - self._sent >= interval and (self._amount or self._note is not None):
            self._send(self._amount, self._note)
            self._amount, self._note, self._sent = 0, None, now


class Receiver(ExitStack):
    """Shows in the parent's events what a process sends; what is left open of it ends with this context.

    Args:
        events: The parent's.
    """

    def __init__(self, events: Events) -> None:
        super().__init__()
        self._events = events
        self._tasks: dict[int, tuple[ExitStack, Task]] = {}

    def show(self, kind: str, *values: Any) -> None:
        """Show a message of a `Sender`."""
        if kind == "task":
            self._begin(*values)
        elif kind == "progress":
            number, amount, note = values
            task = self._tasks[number][1]
            if note is not None:
                task.note(note)
            task.advance(amount)
        elif kind == "end":
            self._tasks.pop(values[0])[0].close()
        else:
            getattr(self._events, kind)(*values)

    def _begin(self, number: int, title: str, total: int, done: int, unit: str) -> None:
        own = self.enter_context(ExitStack())
        self._tasks[number] = own, own.enter_context(self._events.task(title, total=total, done=done, unit=unit))

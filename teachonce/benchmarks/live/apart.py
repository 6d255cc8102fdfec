"""A piece of work in a process of its own, its progress shown here: what it takes of memory is its own."""

import pickle
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from teachonce.benchmarks.live.process import Process, end, how_it_ended, received, served, start
from teachonce.errors import TeachonceError, is_out_of_memory
from teachonce.events import Events, Task
from teachonce.heap import keep_freed

Result = TypeVar("Result")
Wire = Connection
_FULL = "If the memory was full, use fewer rows (--rows) or a smaller teacher; the system's log says why it was killed"


def run_apart(work: Callable[[Events], Result], events: Events, name: str) -> Result:
    """Run something in a new process and return its result.

    As for an `Arm`, it is a program of its own, and ends with us; see `process`.

    Args:
        work: It, and its result, can be pickled.
        events: Who watches.
        name: What it is called in an error.

    Raises:
        TeachonceError: What the work raised, or that the process died.
    """
    process, pipe = start("teachonce.benchmarks.live.apart", subprocess.DEVNULL)
    try:
        with pipe:
            pipe.send_bytes(pickle.dumps(work))
            result: Result = _hear(pipe, process, events)
            return result
    except (EOFError, ConnectionError) as error:
        raise TeachonceError(f"{name}: its process ended {how_it_ended(process)}", _FULL) from error
    finally:
        end(process)


def _hear(pipe: "Wire[Any, Any]", process: "Process[bytes]", events: Events) -> Any:
    """Show what the process tells until it has ended its work."""
    tasks: dict[int, Task] = {}
    with ExitStack() as stack:
        while True:
            kind, *rest = received(pipe, process)
            if kind == "result":
                return rest[0]
            if kind == "error":
                made, message, mend = rest
                raise made(message, mend)
            if kind == "task":
                number, title, options = rest
                tasks[number] = stack.enter_context(events.task(title, **options))
            elif kind == "end":
                del tasks[rest[0]]
                if not tasks:  # those that were in one another end together
                    stack.close()
            elif kind in ("advance", "note"):
                getattr(tasks[rest[0]], kind)(rest[1])
            else:
                getattr(events, kind)(*rest)


class _Told:
    """Events, and a task of them, that are told to the parent."""

    def __init__(self, pipe: "Wire[Any, Any]") -> None:
        self._pipe, self._count = pipe, 0

    @contextmanager
    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> Iterator[Task]:
        """See Events.task."""
        self._count += 1
        number = self._count
        self._pipe.send(("task", number, title, {"total": total, "done": done, "unit": unit}))
        yield _ToldTask(self._pipe, number)
        self._pipe.send(("end", number))

    def epoch(self, entry: Any) -> None:
        """See Events.epoch; nobody keeps a run here."""

    def info(self, text: str) -> None:
        """See Events.info."""
        self._pipe.send(("info", text))

    def warn(self, text: str) -> None:
        """See Events.warn."""
        self._pipe.send(("warn", text))


class _ToldTask:
    def __init__(self, pipe: "Wire[Any, Any]", number: int) -> None:
        self._pipe, self._number = pipe, number

    def advance(self, amount: int = 1) -> None:
        """See Task.advance."""
        self._pipe.send(("advance", self._number, amount))

    def note(self, text: str) -> None:
        """See Task.note."""
        self._pipe.send(("note", self._number, text))


def _main() -> None:
    """The process."""
    keep_freed()
    with served() as pipe:
        work = pickle.loads(pipe.recv_bytes())  # noqa: S301 - our own parent's
        try:
            told: tuple[Any, ...] = ("result", work(_Told(pipe)))
        except TeachonceError as error:
            told = ("error", type(error), error.message, error.mend)
        except Exception as error:  # noqa: BLE001 - the parent tells of it
            full = is_out_of_memory(error)
            what = f"not enough memory: {error}" if full else f"unexpected {type(error).__name__}: {error}"
            told = ("error", TeachonceError, what, _FULL if full else "")
        pipe.send(told)


if __name__ == "__main__":
    _main()

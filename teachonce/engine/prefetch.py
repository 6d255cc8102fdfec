"""Work done ahead in one background thread, handed over in order."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")


class Prefetch(Generic[Job, Done]):
    """Does `work` on each job in order, at most `depth` results ahead of their use; an error is raised in `next`.

    Args:
        jobs: What to work on, in order.
        work: What to do with one; runs in the thread.
        depth: Results that may wait, which bounds the memory.
    """

    def __init__(self, jobs: Iterable[Job], work: Callable[[Job], Done], depth: int = 4) -> None:
        self._ready: queue.Queue[tuple[Done | None, BaseException | None, bool]] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(jobs, work), name="teachonce-prefetch", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Done]:
        return self

    def __next__(self) -> Done:
        done, error, end = self._ready.get()
        if end:
            self._stop.set()
            self._ready.put((None, None, True))  # asked again, it ends again
            if error is not None:
                raise error
            raise StopIteration
        return done  # type: ignore[return-value]

    def close(self) -> None:
        """Stop the thread and forget what waits."""
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._ready.get(timeout=0.01)
            except queue.Empty:
                continue

    def _run(self, jobs: Iterable[Job], work: Callable[[Job], Done]) -> None:
        error: BaseException | None = None
        try:
            for job in jobs:
                if self._stop.is_set() or not self._put((work(job), None, False)):
                    return
        except BaseException as caught:  # noqa: BLE001 - handed to the thread that waits for it
            error = caught
        self._put((None, error, True))

    def _put(self, item: tuple[Done | None, BaseException | None, bool]) -> bool:
        while not self._stop.is_set():
            try:
                self._ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

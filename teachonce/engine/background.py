"""Two threads beside the main one, one that works ahead and one behind: bounded, prompt to stop and to fail."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class _Channel(Generic[T]):
    """A bounded queue between two threads that either side can close, and that carries the other side's error."""

    def __init__(self, depth: int) -> None:
        self._items: deque[T] = deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._ended = False
        self.error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Wait for room, then hand over; False where the channel has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or len(self._items) < self._depth)
            if self._ended:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def get(self) -> T:
        """Wait for an item and take it.

        Raises:
            EOFError: The channel has ended, and what was put before is taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or bool(self._items))
            if not self._items:
                raise EOFError
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def end(self, error: BaseException | None = None, *, drop: bool = False) -> None:
        """Take no more items; `drop` forgets those that wait."""
        with self._changed:
            self._ended = True
            self.error = self.error or error
            if drop:
                self._items.clear()
            self._changed.notify_all()


class Ahead(Generic[T]):
    """An iterable that is run by a thread, at most `depth` items ahead of whoever iterates.

    An error of the iterable is raised where it is iterated, after the items before it. `close` stops the thread
    after the item it is at, and closes the iterable where that can be closed.
    """

    def __init__(self, source: Iterable[T], *, depth: int) -> None:
        self._channel: _Channel[T] = _Channel(depth)
        self._source = source
        self._thread = threading.Thread(target=self._run, name="teachonce-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        iterator = iter(self._source)
        try:
            for item in iterator:
                if not self._channel.put(item):
                    break
            self._channel.end()
        except BaseException as error:  # noqa: BLE001 - handed to the thread that iterates
            self._channel.end(error)
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()

    def __iter__(self) -> Iterator[T]:
        while True:
            try:
                yield self._channel.get()
            except EOFError:
                break
        if self._channel.error is not None:
            raise self._channel.error

    def close(self) -> None:
        """Stop the thread and wait for it."""
        self._channel.end(drop=True)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Behind(Generic[T]):
    """A function that is called by a thread, for at most `depth` items that wait.

    Its error is raised by the next `submit`, `check`, or at the end of a body that does not fail itself. As a
    context manager it waits for all items in any case.
    """

    def __init__(self, function: Callable[[T], None], *, depth: int) -> None:
        self._function = function
        self._channel: _Channel[T] = _Channel(depth)
        self._thread = threading.Thread(target=self._run, name="teachonce-behind", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._function(self._channel.get())
            except EOFError:
                return
            except BaseException as error:  # noqa: BLE001 - handed to the thread that submits
                self._channel.end(error, drop=True)
                return

    def check(self) -> None:
        """Raise the function's error, if there is one."""
        if self._channel.error is not None:
            raise self._channel.error

    def submit(self, item: T) -> None:
        """Hand over one item; waits while `depth` items wait."""
        self._channel.put(item)
        self.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._channel.end()
        self._thread.join()
        if kind is None:
            self.check()

"""An arm's process: it answers one verb after the other."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from teachonce.benchmarks.live.arm import ArmSpec
from teachonce.benchmarks.live.process import served
from teachonce.benchmarks.live.work import Work
from teachonce.engine.device import pick_device
from teachonce.errors import TeachonceError, is_out_of_memory
from teachonce.events import Silent
from teachonce.heap import keep_freed
from teachonce.processwide import allow_tf32, current, limited_threads

_SMALLER = "Use a smaller --batch-size"
_FULL = "not enough memory"


class _Told(Silent):
    """Sends what is said to the parent."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe = pipe

    def info(self, text: str) -> None:
        self._pipe.send(("info", text))

    def warn(self, text: str) -> None:
        self._pipe.send(("warn", text))


def serve(pipe: "Connection[Any, Any]") -> None:
    """Answer until the parent hangs up: `("answer", value)` or `("error", (class, message, mend, trace))`.

    The first message is the ArmSpec, each other one a verb and its options. The training is built with the first verb,
    so that a parent can start all its arms and then hear them one by one.
    """
    spec: ArmSpec = pipe.recv()
    work: Work | None = None
    while True:
        verb, options = pipe.recv()
        try:
            with _memory_errors(), arithmetic(spec):
                work = work or Work(spec, _Told(pipe))
                answer = getattr(work, verb)(**options)
            pipe.send(("answer", answer))
        except TeachonceError as error:
            pipe.send(("error", (type(error), error.message, error.mend, None)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent is told
            message = f"{type(error).__name__}: {error}"
            pipe.send(("error", (TeachonceError, message, "", traceback.format_exc())))


@contextmanager
def arithmetic(spec: ArmSpec) -> Iterator[None]:
    """The threads, the device and the rounding that an arm computes with."""
    device = pick_device(spec.config.device)
    with limited_threads(spec.threads), current(device), allow_tf32(spec.config.tf32):
        yield


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Say what to do where the memory does not suffice.

    Raises:
        TeachonceError: In the place of Python's and torch's errors of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise TeachonceError(f"{_FULL}: {error}", _SMALLER) from error


def main() -> None:
    """Serve the pipe that we were started with."""
    keep_freed()
    with served() as pipe, suppress(EOFError, ConnectionError):
        serve(pipe)


if __name__ == "__main__":
    main()

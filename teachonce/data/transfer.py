"""Copies from the host to a GPU that run beside what the GPU computes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


class Sent(NamedTuple, Generic[T]):
    """What was made beside the device's computing; see `Transfer.receive`."""

    value: T
    event: Any
    """Happens when the device has it; None where it does already."""


class Transfer:
    """Brings tensors to a device: to a GPU on a stream of its own, so that a copy overlaps the kernels before it.

    What is submitted afterwards waits for the copy; the host waits for nothing. A copy from memory that is not pinned
    is made in the calling thread's time. On a CPU nothing is copied, and nothing costs time.

    Args:
        device: Where tensors are wanted.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._stream: Any = None

    def bring(self, tensor: Tensor) -> Tensor:
        """A tensor on the device, for the current stream of this thread."""
        if self.device.type != "cuda" or tensor.device.type == "cuda":
            return tensor.to(self.device)
        sent = self.send(lambda: tensor.to(self.device, non_blocking=True))
        return self.receive(sent, sent.value)

    def send(self, make: Callable[[], T]) -> Sent[T]:
        """Make something on the device, for whoever receives it later; may be called by a thread of its own."""
        with self._beside() as stream:
            value = make()
        return Sent(value, None if stream is None else stream.record_event())

    def receive(self, sent: Sent[T], *tensors: Tensor) -> T:
        """What was sent, for the current stream of this thread: it waits for it, and nobody else does.

        Args:
            sent: By `send`.
            tensors: The tensors in it, whose memory is then not given away before the current stream is done with them.
        """
        if sent.event is not None:
            current = torch.cuda.current_stream(self.device)
            current.wait_event(sent.event)
            for tensor in tensors:
                tensor.record_stream(current)
        return sent.value

    @contextmanager
    def _beside(self) -> Iterator[Any]:
        """The stream that is the current one inside; None on a CPU."""
        if self.device.type != "cuda":
            yield None
            return
        stream = self._stream  # of two threads that begin at once each records the one that it used
        if stream is None:
            stream = self._stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        with torch.cuda.stream(stream):
            yield stream

"""How long a step takes, without making it longer."""

import statistics
import time
from collections.abc import Sequence
from itertools import pairwise

import torch

SETTLING = 5  # intervals at the start of an epoch that are not the steady state


class StepTimer:
    """Marks the beginnings of steps: CUDA events on a GPU (read once an epoch), the clock elsewhere.

    Args:
        device: Where the steps run.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._cuda = device, device.type == "cuda"
        self._events: list[torch.cuda.Event] = []
        self._times: list[float] = []

    def mark(self) -> None:
        """A step begins, or the last one has been submitted."""
        if self._cuda:
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self._device))
            self._events.append(event)
        else:
            self._times.append(time.perf_counter())

    def read(self) -> list[float]:
        """Milliseconds between the marks; waits for the device, then forgets them."""
        if self._cuda and self._events:
            self._events[-1].synchronize()
        events, self._events = self._events, []
        times, self._times = self._times, []
        if self._cuda:
            return [a.elapsed_time(b) for a, b in pairwise(events)]
        return [1e3 * (b - a) for a, b in pairwise(times)]


def steady_ms(intervals: Sequence[float]) -> float | None:
    """The median after the first few; None of nothing."""
    settled = intervals[min(SETTLING, len(intervals) // 2) :]
    return statistics.median(settled) if settled else None

"""Where the time of a step goes: a probe hears each part as it has been submitted, and is asked for times at the end.

A step is drawing the batch (`data`: decoding, rendering, on the host or the device), bringing it to the device
(`transfer`), `targets`, `student_forward`, `loss`, `backward` and `optimiser`, in this order. Nobody listens by
default, which costs nothing.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from teachonce.engine.session import Session
from teachonce.engine.steptime import StepTimer


class PartTimes:
    """A probe that keeps times: events on a GPU, which are read once at the end, the clock elsewhere.

    Whatever lies between two calls is the later part's, so that the parts together are all the time there was. On a
    GPU it is the device's time: work of the host that the device need not wait for is in none of them.

    Args:
        device: Where the steps run.
    """

    def __init__(self, device: torch.device) -> None:
        self._timer = StepTimer(device)
        self._names: list[str] = []
        self._timer.mark()

    def __call__(self, part: str) -> None:
        """A part has been submitted."""
        self._names.append(part)
        self._timer.mark()

    def read(self) -> dict[str, float]:
        """Milliseconds of each part, all steps together; waits for the device."""
        found: dict[str, float] = defaultdict(float)
        for name, interval in zip(self._names, self._timer.read(), strict=True):
            found[name] += interval
        return dict(found)


@contextmanager
def probed(session: Session) -> Iterator[PartTimes]:
    """The times of the parts of the steps that the body makes."""
    times = PartTimes(session.device)
    session.stepper.probe = session.feed.images.probe = times
    try:
        yield times
    finally:
        session.stepper.probe = session.feed.images.probe = None

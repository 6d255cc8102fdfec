"""A probe of the pass: the real one over some batches until its pace is steady, then each of its halves alone."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

from teachonce.benchmarks.rounds import wait
from teachonce.engine.stage_one.feed import Batch, Feed
from teachonce.engine.stage_one.forward import Forward
from teachonce.engine.stage_one.job import Job
from teachonce.engine.stage_one.passes import FilledBlock, Pass
from teachonce.errors import DataError

_GROUPS = range(1 << 40)  # they begin again after the last, so that little data gives a probe as long as much does
_WARM_SHARE = 0.25  # of the time that counts, before it: threads start, the decoder fills its queue
_LEAST = 3  # batches that count


@dataclass(frozen=True, kw_only=True)
class PassProbe:
    """Seconds a row of all its views, and what comes before the first."""

    batch_size: int
    views: int
    """That were run of each image."""
    start_s: float
    """What the first batches took beyond the steady pace."""
    row_s: float
    """The whole pass, decoding and teacher side by side, once its pace is steady."""
    teacher_s: float
    """One view: rendered, run, cast; nothing else at work."""
    decode_s: float
    """Read, decoded and packed by the same workers; nothing else at work."""
    rows: int
    """That were run to find `row_s`."""

    def row_seconds(self, views: int) -> float:
        """Seconds a row of another number of views.

        The slower half decides; what the halves cost each other (they share processors) is that of the probe. Where
        the pass was faster than its halves alone, they had other company, so that only their ratio counts.

        Args:
            views: Of each image.
        """
        slower, before = (max(self.decode_s, count * self.teacher_s) for count in (views, self.views))
        return self.row_s + slower - before if self.row_s >= before else self.row_s * slower / before


class Enough(Exception):
    """The probe has seen enough."""


class Pace:
    """A task that notes when rows are done, and ends the pass once it knows the steady pace.

    Args:
        seconds: How long the part that counts has to be, beside its least number of batches.
        clock: Seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._seconds, self._clock, self._began = seconds, clock, clock()
        self._views, self._first, self._last = 0, (0.0, 0), (0.0, 0)
        self._counted = -1  # batches after the warm-up; -1: it is not over

    def advance(self, amount: int = 1) -> None:
        """Take so many views as done."""
        self._views += amount
        self._last = (self._clock() - self._began, self._views)
        if self._counted < 0 and self._last[0] < _WARM_SHARE * self._seconds:
            return
        self._counted += 1
        if not self._counted:
            self._first = self._last
        elif self._counted >= _LEAST and self._last[0] - self._first[0] >= self._seconds:
            raise Enough

    def note(self, text: str) -> None:
        """See Task.note."""

    def result(self) -> tuple[float, float, int]:
        """Seconds before the steady pace (beyond it), seconds a view at that pace, and the views that gave it."""
        (first, before), (last, after) = self._first, self._last
        each = (last - first) / (after - before)
        return max(0.0, first - before * each), each, after - before


def probe_pass(job: Job, forward: Forward, *, batch_size: int, workers: int | None, seconds: float) -> PassProbe:
    """Run the pass over batches that are spread over the data, without writing anything.

    Args:
        job: Checked.
        forward: The teacher on its device.
        batch_size: Images the teacher sees at once.
        workers: Workers that decode.
        seconds: How long the pass is looked at; at least three batches after the first.

    Raises:
        DataError: No image of the batches can be decoded.
        TeachonceError: As `embed`.
    """
    feed, pace, views = _feed(job, batch_size, workers), Pace(seconds), job.spec.views
    counted = _Decodable(feed.batches(_GROUPS))
    with suppress(Enough):
        Pass(forward=forward, arrays=job.arrays, commit=_forget, task=pace).run(counted.batches())
    start, view_s, count = pace.result()
    return PassProbe(
        batch_size=batch_size,
        views=views,
        start_s=start,
        row_s=view_s * views,
        teacher_s=_teacher(job, forward, feed, seconds / 4),
        decode_s=_decode(feed, seconds / 4),
        rows=count // views,
    )


def _forget(filled: FilledBlock) -> None:
    """Nothing is written: what the disk takes is probed by itself."""


@dataclass
class _Decodable:
    """Batches, refused where not one image of the first ones can be decoded: a pace of nothing says nothing."""

    source: Iterator[Batch]

    def batches(self) -> Iterator[Batch]:
        failed = 0
        with closing(self.source) as source:  # type: ignore[type-var]
            for batch in source:
                failed = failed + 1 if batch.images is None else -(1 << 30)
                if failed > _LEAST:
                    code = next(iter(batch.failed.values()))
                    raise DataError(f"no image of the first batches can be decoded ({code})", "Check the data")
                yield batch


def _feed(job: Job, batch_size: int, workers: int | None) -> Feed:
    """The feed of the pass, over groups of a batch each that jump through the data: its first rows may be special."""
    rows = job.samples.rows
    groups = -(-rows // batch_size)
    step = _coprime(groups)

    def block_range(group: int) -> tuple[int, int]:
        start = group * step % groups * batch_size
        return start, min(start + batch_size, rows)

    pin = job.device.type == "cuda"
    return Feed(
        samples=job.samples,
        plan=job.views,
        block_range=block_range,
        stored=lambda _: None,
        batch_size=batch_size,
        workers=workers,
        pin=pin,
    )


def _coprime(count: int) -> int:
    """A step near the golden section of `count` that comes to every number below it, and spreads the first ones."""
    step = max(1, round(0.618 * count))
    while math.gcd(step, count) != 1:
        step += 1
    return step


def _teacher(job: Job, forward: Forward, feed: Feed, seconds: float) -> float:
    """Seconds a view of the teacher alone, on images that are decoded already."""
    with closing(feed.batches(_GROUPS)) as batches:  # type: ignore[type-var]
        images = next(batch.images for batch in batches if batch.images is not None)
    rows, spent = 0, 0.0
    while not rows or spent < seconds:
        began = time.perf_counter()
        for output in [view for _ in range(_LEAST) for view in forward(images)]:  # begun before one is waited for
            output.wait()
        wait(job.device)
        rows, spent = rows + _LEAST * len(images.params), spent + time.perf_counter() - began
    return spent / (rows * int(images.params.shape[1]))


def _decode(feed: Feed, seconds: float) -> float:
    """Seconds a row of decoding alone, after the first batch: workers start with it."""
    rows, began = 0, time.perf_counter()
    with closing(feed.batches(_GROUPS)) as batches:  # type: ignore[type-var]
        for index, batch in enumerate(batches):
            if not index:
                began = time.perf_counter()
                continue
            rows += len(batch.rows)
            spent = time.perf_counter() - began
            if index >= _LEAST and spent >= seconds:
                break
    return (time.perf_counter() - began) / rows

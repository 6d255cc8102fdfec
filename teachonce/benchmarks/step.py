"""What a step costs from the cache, with constant targets, without a teacher and with the live one, in one run."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from teachonce.benchmarks.rounds import Ratio, median_ms, paired_ratio
from teachonce.cache import Store, open_store
from teachonce.data.open import open_samples
from teachonce.data.samples import Samples
from teachonce.engine.device import pick_device
from teachonce.engine.feed import Batch
from teachonce.engine.rows import all_digests
from teachonce.engine.session import Session, open_session
from teachonce.engine.settings import TrainConfig
from teachonce.engine.targets import BatchRows, TargetSource
from teachonce.errors import InputError
from teachonce.events import SILENT, Events
from teachonce.methods.targets import Targets
from teachonce.stages.embed import embed

WARM_UP = 3  # rounds that are not counted


@dataclass(frozen=True, kw_only=True)
class StepBench:
    """Medians over the rounds of one run, the arms taking turns; a ratio is the median of the rounds' own ratios."""

    method: str
    student: str
    teacher: str
    device: str
    precision: str
    batch_size: int
    rounds: int
    arms: dict[str, dict[str, float]]
    """Arm -> step_ms (median) and spread_ms (half the distance of the quartiles)."""
    teacher_ms: float
    """The teacher's bare forward pass on a batch that is rendered already."""
    overhead_cache: Ratio
    """cached / constant: what reading the cache costs."""
    overhead_loss: Ratio
    """constant / ce: what the loss itself adds."""
    live_over_parts: Ratio
    """live / (teacher's forward + constant): 1 where the live rival is no straw man."""
    speedup: Ratio
    """live / cached."""


class ConstantTargets(TargetSource):
    """The same targets for every batch, on the device already: the least that a source can cost.

    Args:
        source: Whose first batch is kept.
        rows: That batch.
    """

    def __init__(self, source: TargetSource, rows: BatchRows) -> None:
        self.spec = source.spec
        self._targets = source.fetch(rows, 0, None)

    def fetch(self, rows: BatchRows, view: int, images: Tensor | None) -> Targets:
        """See TargetSource.fetch."""
        return self._targets


@dataclass(kw_only=True)
class _Arm:
    """One way to make steps, with a student of its own."""

    session: Session
    times: list[float] = field(default_factory=list)
    _batches: Iterator[Batch] = field(default_factory=lambda: iter(()))
    _epoch: int = -1

    def run(self, steps: int) -> None:
        """Make some steps, drawing their batches as training does."""
        for _ in range(steps):
            batch = next(self._batches, None)
            if batch is None:
                self._epoch += 1
                rows, loop = self.session.loop.batches(self._epoch), self.session.stepper
                loop.source.plan(rows, self.session.feed.views.view(self._epoch))
                self._batches = iter(self.session.feed.batches(rows, self._epoch))
                batch = next(self._batches)
            self.session.stepper.step(batch, self.session.feed.views.view(self._epoch))


def bench_step(  # noqa: PLR0913 - one parameter an option
    *,
    teacher: str,
    data: str | Samples,
    student: str,
    method: str = "kd",
    batch_size: int = 128,
    rounds: int = 30,
    steps: int = 1,
    image_size: int | None = None,
    split: str | None = None,
    limit: int | None = None,
    device: str | None = None,
    precision: str = "auto",
    workers: int | None = None,
    seed: int = 0,
    events: Events = SILENT,
) -> StepBench:
    """Time steps of the same training from the cache, with constant targets, by `ce` alone, and with the live teacher.

    A temporary store is made first. In every round each arm makes `steps` steps, in turning order, so that whatever
    else the machine does falls on all of them; a step is drawing the batch, targets, forward, loss, backward, update.

    Args:
        teacher: See `load_teacher`.
        data: See `open_samples`, or opened samples.
        student: See `build_student`.
        method: One that needs a teacher.
        batch_size: Rows of a step.
        rounds: Rounds that count.
        steps: Steps of an arm in a round; the device is waited for after them.
        image_size: Pixels a side that the student sees.
        split: Which split.
        limit: The first so many rows.
        device: See `embed`.
        precision: See `embed`.
        workers: Workers that decode.
        seed: Of students and order.
        events: Who watches.

    Raises:
        InputError: A setting that cannot be used.
        TeachonceError: As `embed` and `train`.
    """
    if rounds < 1 or steps < 1:
        raise InputError(f"rounds and steps must be at least 1, got {rounds} and {steps}", "Use 30 and 1, say")
    samples = open_samples(data, split=split, limit=limit) if isinstance(data, str) else data
    with tempfile.TemporaryDirectory(prefix="teachonce-bench-") as folder:
        path = Path(folder) / "bench.zarr"
        shared: dict[str, Any] = {"device": device, "precision": precision, "workers": workers, "seed": seed}
        embed(teacher=teacher, data=samples, store=path, events=events, **shared)
        config = TrainConfig(
            student=student,
            out=Path(folder) / "run",
            method=method,
            store=path,
            teacher=teacher,
            batch_size=batch_size,
            image_size=image_size,
            **shared,
        )
        config.check()
        if not config.make_method().needs.teacher:
            raise InputError(f"method {method} has no teacher to compare with", "Use kd, say")
        return _Bench(config, samples, open_store(path), rounds, steps, events).run()


class _Bench:
    """The arms of one run and their rounds."""

    def __init__(
        self, config: TrainConfig, samples: Samples, store: Store, rounds: int, steps: int, events: Events
    ) -> None:
        self.config, self.samples, self.store, self.events = config, samples, store, events
        self.rounds, self.steps = rounds, steps
        self.device = pick_device(config.device)
        self.digests = all_digests(samples, events)
        self.arms = {
            "ce": self._arm(method="ce", source="cached"),
            "constant": self._arm(source="cached"),
            "cached": self._arm(source="cached"),
            "live": self._arm(source="live"),
        }
        stepper, feed = self.arms["constant"].session.stepper, self.arms["constant"].session.feed
        batch = next(iter(feed.batches(self.arms["constant"].session.loop.batches(0), 0)))
        stepper.source = ConstantTargets(stepper.source, batch.rows)

    def _arm(self, **changed: Any) -> _Arm:
        config = replace(self.config, **changed)
        return _Arm(session=open_session(config, self.samples, self.store, digests=self.digests, events=self.events))

    def run(self) -> StepBench:
        """All rounds, then the result."""
        works: dict[str, Callable[[], object]] = {name: partial(arm.run, self.steps) for name, arm in self.arms.items()}
        works["teacher"] = self._teacher_forward()
        times: dict[str, list[float]] = {name: [] for name in works}
        names = list(works)
        with self.events.task("bench step", total=self.rounds + WARM_UP, unit="rounds") as task:
            for index in range(self.rounds + WARM_UP):
                for name in names[index % len(names) :] + names[: index % len(names)]:
                    seconds = self._timed(works[name])
                    if index >= WARM_UP:
                        times[name].append(1e3 * seconds / self.steps)
                task.advance()
        return self._result(times)

    def _timed(self, work: Callable[[], object]) -> float:
        self._wait()
        began = time.perf_counter()
        work()
        self._wait()
        return time.perf_counter() - began

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _teacher_forward(self) -> Callable[[], object]:
        session = self.arms["live"].session
        batch = next(iter(session.feed.batches(session.loop.batches(0), 0)))

        def forward() -> None:
            for _ in range(self.steps):
                session.stepper.source.fetch(batch.rows, 0, batch.teacher_images)

        return forward

    def _result(self, times: dict[str, list[float]]) -> StepBench:
        parts = [a + b for a, b in zip(times["teacher"], times["constant"], strict=True)]
        session = self.arms["live"].session
        return StepBench(
            method=self.config.method,
            student=self.config.student,
            teacher=str(self.config.teacher),
            device=str(session.device),
            precision=session.precision,
            batch_size=self.config.batch_size,
            rounds=self.rounds,
            arms={name: median_ms(times[name]) for name in self.arms},
            teacher_ms=statistics.median(times["teacher"]),
            overhead_cache=paired_ratio(times["cached"], times["constant"]),
            overhead_loss=paired_ratio(times["constant"], times["ce"]),
            live_over_parts=paired_ratio(times["live"], parts),
            speedup=paired_ratio(times["live"], times["cached"]),
        )

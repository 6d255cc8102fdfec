"""What a step costs from the cache, with constant targets, without a teacher and with the live one, in one run."""

import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from teachonce.benchmarks.arms import Arm, ConstantTargets
from teachonce.benchmarks.live.cases import LIVE
from teachonce.benchmarks.losses import loss_parts
from teachonce.benchmarks.origin import Origin, origin
from teachonce.benchmarks.rounds import Ratio, in_turns, median_ms, paired_ratio, wait
from teachonce.cache import Store, open_store
from teachonce.data.open import open_samples
from teachonce.data.samples import Samples
from teachonce.engine.device import pick_device
from teachonce.engine.rdm.names import rdm_name
from teachonce.engine.rows import all_digests
from teachonce.engine.session import open_session
from teachonce.errors import InputError
from teachonce.events import SILENT, Events
from teachonce.methods.base import METHODS, make_method
from teachonce.options.opt import Value
from teachonce.options.train import TrainOptions
from teachonce.processwide import allow_tf32
from teachonce.stages.embed import embed
from teachonce.stages.rdm import rdm

WARM_UP = 3  # rounds that are not counted


@dataclass(frozen=True, kw_only=True)
class StepBench(Origin):
    """Medians over the rounds of one run, the arms taking turns; a ratio is the median of the rounds' own ratios."""

    kind: str = "teachonce.bench-step"
    method: str
    live_method: str
    """What the live arm trains by; another method where this one needs class means only."""
    student: str
    teacher: str
    device: str
    precision: str
    batch_size: int
    settings: dict[str, Any]
    """The method's."""
    rdm: list[str]
    """The RDMs that it learns from."""
    rounds: int
    arms: dict[str, dict[str, float]]
    """Arm -> step_ms (median) and spread_ms (half the distance of the quartiles)."""
    teacher_ms: float
    """The teacher's bare forward pass on a batch that is rendered already."""
    overhead_cache: Ratio
    """cached / constant: what reading the cache costs."""
    overhead_loss: Ratio
    """constant / ce: what the loss itself adds."""
    loss_ms: float
    """What it adds: the median of constant - ce."""
    loss_parts: dict[str, dict[str, float]]
    """Part of the loss -> forward_ms and backward_ms on outputs that are there already; see `loss_parts`."""
    live_over_parts: Ratio
    """live / (teacher's forward + constant): 1 where the live rival is no straw man."""
    speedup: Ratio
    """live / cached."""


@allow_tf32(allowed=False)
def bench_step(  # noqa: PLR0913 - one parameter an option
    *,
    teacher: str,
    data: str | Samples,
    student: str,
    method: str = "kd",
    batch_size: int = 128,
    settings: Mapping[str, Value] | None = None,
    distortion_weight: Sequence[float] = (),
    rdm_epochs: int = 2,
    rounds: int = 30,
    steps: int = 1,
    image_size: int | None = None,
    split: str | None = None,
    limit: int | None = None,
    device: str | None = None,
    precision: str = "auto",
    teacher_dtype: str = "float32",
    workers: int | None = None,
    seed: int = 0,
    trust_remote_code: bool = False,
    events: Events = SILENT,
) -> StepBench:
    """Time steps of the same training from the cache, with constant targets, by `ce` alone, and with the live teacher.

    A temporary store is made first. In every round each arm makes `steps` steps, in changing order, so that whatever
    else the machine does falls on all of them; a step is drawing the batch, targets, forward, loss, backward, update.

    Args:
        teacher: See `load_teacher`.
        data: See `open_samples`, or opened samples.
        student: See `build_student`.
        method: One that needs a teacher.
        batch_size: Rows of a step.
        settings: The method's, values or text.
        distortion_weight: For cifd: an RDM is trained for each of these weights first; see `rdm`.
        rdm_epochs: Epochs of that; how good RDMs are makes no difference to a step's time.
        rounds: Rounds that count.
        steps: Steps of an arm in a round; the device is waited for after them.
        image_size: Pixels a side that the student sees.
        split: Which split.
        limit: The first so many rows.
        device: See `embed`.
        precision: See `embed`.
        teacher_dtype: See `train`; of the store's teacher and of the live one.
        workers: Workers that decode.
        seed: Of students and order.
        trust_remote_code: See `train`.
        events: Who watches.

    Raises:
        InputError: A setting that cannot be used.
        TeachonceError: As `embed` and `train`.
    """
    if rounds < 1 or steps < 1:
        raise InputError(f"rounds and steps must be at least 1, got {rounds} and {steps}", "Use 30 and 1, for example")
    _check(method, settings or {}, distortion_weight)
    samples = open_samples(data, split=split, limit=limit, events=events) if isinstance(data, str) else data
    with tempfile.TemporaryDirectory(prefix="teachonce-bench-") as folder:
        path = Path(folder) / "bench.zarr"
        shared: dict[str, Any] = {"device": device, "precision": precision, "workers": workers}
        shared |= {"trust_remote_code": trust_remote_code, "teacher_dtype": teacher_dtype}
        # without the seed: a built-in teacher then has the weights that the live one has
        embed(teacher=teacher, data=samples, store=path, events=events, **shared)
        rdms: tuple[str, ...] = ()
        if distortion_weight:
            trained = rdm(
                store=path,
                distortion_weight=distortion_weight,
                epochs=rdm_epochs,
                batch_size=batch_size,
                seed=seed,
                device=device,
                events=events,
            )
            rdms = tuple(entry.name for entry in trained.rdms)
        config = TrainOptions(
            student=student,
            out=Path(folder) / "run",
            method=method,
            settings=dict(settings or {}),
            store=path,
            rdm=rdms,
            teacher=teacher,
            batch_size=batch_size,
            image_size=image_size,
            seed=seed,
            **shared,
        )
        config.check()
        return _Bench(config, samples, open_store(path), rounds, steps, events).run()


def _check(method: str, settings: Mapping[str, Value], distortion_weight: Sequence[float]) -> None:
    """Refuse what cannot be measured, before the teacher runs."""
    names = [rdm_name(weight) for weight in distortion_weight]
    if method in METHODS and METHODS[method].needs_extras:
        message = f"method {method} needs targets of other models, and the temporary store has the teacher's alone"
        raise InputError(message, "Use kd, or cifd with --distortion-weight")
    if not make_method(method, settings, names).needs.teacher:
        raise InputError(f"method {method} has no teacher to compare with", "Use kd, for example")


class _Bench:
    """The arms of one run and their rounds."""

    def __init__(
        self, config: TrainOptions, samples: Samples, store: Store, rounds: int, steps: int, events: Events
    ) -> None:
        self.config, self.samples, self.store, self.events = config, samples, store, events
        self.rounds, self.steps = rounds, steps
        self.device = pick_device(config.device)
        self.digests = all_digests(samples, events)
        self.live_method = LIVE.get(config.method, config.method)
        settings = config.settings if self.live_method == config.method else {}
        self.arms = {
            "ce": self._arm(method="ce", settings={}, rdm=(), source="cached"),
            "constant": self._arm(source="cached"),
            "cached": self._arm(source="cached"),
            "live": self._arm(source="live", method=self.live_method, settings=settings),
        }
        stepper, feed = self.arms["constant"].session.stepper, self.arms["constant"].session.feed
        self.batch = next(iter(feed.batches(self.arms["constant"].session.loop.batches(0), 0)))
        stepper.source = ConstantTargets(stepper.source, self.batch.rows)

    def _arm(self, **changed: Any) -> Arm:
        config = replace(self.config, **changed)
        session = open_session(config, self.samples, self.store, digests=self.digests, events=self.events)
        return Arm(session=session, reads_ahead=False)

    def run(self) -> StepBench:
        """All rounds, then the result."""
        works: dict[str, Callable[[], object]] = {name: partial(arm.run, self.steps) for name, arm in self.arms.items()}
        works["teacher"] = self._teacher_forward()
        with self.events.task("bench step", total=self.rounds + WARM_UP, unit="rounds") as task:
            times = in_turns(works, self.rounds, WARM_UP, self.device, task)
        return self._result({name: [ms / self.steps for ms in found] for name, found in times.items()})

    def _teacher_forward(self) -> Callable[[], object]:
        session = self.arms["live"].session
        batch = next(iter(session.feed.batches(session.loop.batches(0), 0)))

        def forward() -> None:
            for _ in range(self.steps):
                session.stepper.source.fetch(batch.rows, 0, batch.teacher_images)

        return forward

    def _result(self, times: dict[str, list[float]]) -> StepBench:
        parts = [a + b for a, b in zip(times["teacher"], times["constant"], strict=True)]
        session, own = self.arms["live"].session, self.arms["constant"].session.stepper
        return StepBench(
            method=self.config.method,
            live_method=self.live_method,
            student=self.config.student,
            teacher=str(self.config.teacher),
            device=str(session.device),
            precision=session.precision,
            batch_size=self.config.batch_size,
            settings=asdict(own.method.settings),
            rdm=list(self.config.rdm),
            rounds=self.rounds,
            arms={name: median_ms(times[name]) for name in self.arms},
            teacher_ms=statistics.median(times["teacher"]),
            overhead_cache=paired_ratio(times["cached"], times["constant"]),
            overhead_loss=paired_ratio(times["constant"], times["ce"]),
            loss_ms=statistics.median(a - b for a, b in zip(times["constant"], times["ce"], strict=True)),
            loss_parts=loss_parts(own, self.batch, self.rounds, partial(wait, self.device)),
            live_over_parts=paired_ratio(times["live"], parts),
            speedup=paired_ratio(times["live"], times["cached"]),
            **origin(session.device),
        )

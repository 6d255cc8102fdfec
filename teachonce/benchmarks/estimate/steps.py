"""What a step of a student takes, from the cache and with the live teacher: the other half of break-even."""

import statistics
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from teachonce.benchmarks.arms import Arm
from teachonce.benchmarks.estimate.records import StudentCost
from teachonce.benchmarks.live.cases import LIVE
from teachonce.benchmarks.live.payoff import Costs, payoff
from teachonce.benchmarks.rounds import in_turns
from teachonce.cache import open_store
from teachonce.data.samples import Samples
from teachonce.engine.device import pick_device
from teachonce.engine.rows import all_digests
from teachonce.engine.session import open_session
from teachonce.engine.settings import check_training
from teachonce.errors import InputError
from teachonce.events import SILENT
from teachonce.methods.base import make_method
from teachonce.models.students import check_student
from teachonce.options.estimate import EstimateOptions
from teachonce.options.methods import needs_extras
from teachonce.options.opt import Value
from teachonce.options.train import TrainOptions
from teachonce.stages.embed import embed

_ROUNDS, _WARM_UP, _MOST = 5, 2, 50
_VAL_FRACTION = 0.1  # of `train`, where nothing else is said
_SHARED = ("device", "precision", "teacher_dtype", "teacher_device_map", "workers", "trust_remote_code")
_BATCHES = 2  # of the data that is measured on


@dataclass(frozen=True, kw_only=True)
class StudentPlan:
    """A training that is to be compared, named as the options of `train`."""

    student: str
    method: str = "kd"
    settings: Mapping[str, Value] = field(default_factory=dict)
    epochs: int = 10
    batch_size: int = 128
    image_size: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be compared, before the teacher is loaded.

        Raises:
            InputError: Says what, and what to do.
            ModelError: There is no such student.
        """
        for name, value in {"epochs": self.epochs, "batch_size": self.batch_size}.items():
            if value < 1:
                raise InputError(f"{name} must be at least 1, got {value}", f"Give another {name}")
        if needs_extras(self.method):
            message = (
                f"method {self.method} needs targets of other models, and the estimate has only those of the teacher"
            )
            raise InputError(message, "Use kd or cifd")
        if not make_method(self.method, self.settings).needs:
            raise InputError(f"method {self.method} has no teacher to compare with", "Use kd, for example")
        check_student(self.student, self.image_size)


def measure_steps(plan: StudentPlan, samples: Samples, options: EstimateOptions, seconds: float) -> tuple[float, float]:
    """Milliseconds of a step from the cache and with the live teacher, medians of steps that take turns.

    Args:
        plan: The training.
        samples: At least two batches of the data, or all there is of it.
        options: Teacher, device, precision, workers and seed of both; the rest is the plan's.
        seconds: About how long the two are measured.

    Raises:
        TeachonceError: As `train`.
    """
    with tempfile.TemporaryDirectory(prefix="teachonce-estimate-") as folder:
        path = Path(folder) / "probe.zarr"
        shared = {name: getattr(options, name) for name in _SHARED}
        embed(teacher=options.teacher, data=samples, store=path, **shared)
        config = TrainOptions(
            data=samples,
            student=plan.student,
            out=Path(folder) / "run",
            store=path,
            teacher=str(options.teacher),
            batch_size=plan.batch_size,
            image_size=plan.image_size,
            val_fraction=0.0,
            seed=options.seed,
            **shared,
        )
        cached = replace(config, method=plan.method, settings=plan.settings, source="cached")
        live_method = LIVE.get(plan.method, plan.method)
        settings = plan.settings if live_method == plan.method else {}
        live = replace(config, method=live_method, settings=settings, source="live")
        return _timed(_arm(cached, samples, path), _arm(live, samples, path), seconds)


def _arm(config: TrainOptions, samples: Samples, store: Path) -> Arm:
    check_training(config)
    session = open_session(config, samples, open_store(store), digests=all_digests(samples, SILENT))
    return Arm(session=session, reads_ahead=False)


def _timed(cached: Arm, live: Arm, seconds: float) -> tuple[float, float]:
    device = pick_device(cached.session.config.device)
    works = {"cached": partial(cached.run, 1), "live": partial(live.run, 1)}
    with SILENT.task("steps", total=0) as task:
        first = in_turns(works, 1, _WARM_UP, device, task)
        turn_s = sum(times[0] for times in first.values()) / 1e3
        rounds = max(_ROUNDS, min(_MOST, int(seconds / max(turn_s, 1e-4))))
        times = in_turns(works, rounds, 0, device, task)
    return statistics.median(times["cached"]), statistics.median(times["live"])


def student_cost(plan: StudentPlan, *, rows: int, stage_one_s: float, step_ms: tuple[float, float]) -> StudentCost:
    """The steps multiplied out to epochs, and when break-even is reached.

    Args:
        plan: The training.
        rows: Of the data; a tenth is kept for validation, as `train` does.
        stage_one_s: Seconds of stage one.
        step_ms: From the cache, and live.
    """
    train = round(rows * (1 - _VAL_FRACTION))
    steps = max(1, train // plan.batch_size)
    cached_s, live_s = (ms * steps / 1e3 for ms in step_ms)
    found = payoff(
        Costs(stage_one_s=stage_one_s, rdm_s=0.0, cached_epoch_s=cached_s, live_epoch_s=live_s, epochs=plan.epochs)
    )
    return StudentCost(
        student=plan.student,
        method=plan.method,
        live_method=LIVE.get(plan.method, plan.method),
        batch_size=plan.batch_size,
        epochs=plan.epochs,
        cached_step_ms=step_ms[0],
        live_step_ms=step_ms[1],
        cached_epoch_s=cached_s,
        live_epoch_s=live_s,
        speedup=step_ms[1] / step_ms[0],
        **vars(found),
    )


def measured_rows(plan: StudentPlan) -> int:
    """How many rows of the data the steps are measured on."""
    return _BATCHES * plan.batch_size

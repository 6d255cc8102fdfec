"""What the cache costs before the first student: the teacher's pass, and the training of RDMs, into a real store."""

import math
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from teachonce.benchmarks.live.data import DataSpec
from teachonce.benchmarks.live.records import StageOneResult
from teachonce.cache.describe import describe
from teachonce.engine.device import peak_memory_bytes, pick_device, reset_peak
from teachonce.engine.rdm.names import rdm_name
from teachonce.events import SILENT, Events, Silent, Task
from teachonce.models.rdm import Preset
from teachonce.models.students import is_built_in
from teachonce.models.teacher import Teacher, load_teacher
from teachonce.processes.process import Process
from teachonce.processwide import limited_threads
from teachonce.stages.embed import EmbedResult, embed
from teachonce.stages.rdm import rdm
from teachonce.types import TeacherDtype

_WARM_UP = 16  # rows
_SECONDS = 4.0  # that the teacher's pass should take
_FULL = "If the memory was full, use fewer rows (--rows) or a smaller teacher; the system's log says why it was killed"
_RDM_BATCH = 256
_RDM_STEPS = 32  # at least so many are timed


@dataclass(frozen=True, kw_only=True)
class StageSpec:
    """What is run, by the stages themselves."""

    teacher: str
    data: DataSpec
    rows: tuple[int, int]
    """The fewest and the most of them."""
    store: Path
    device: str
    precision: str
    teacher_dtype: TeacherDtype = "float32"
    tf32: bool = False
    distortion_weight: tuple[float, ...] = ()
    """Of RDMs; none: no RDM is trained."""
    rdm_preset: Preset = "general"
    threads: int | None = None
    workers: int | None = None
    trust_remote_code: bool = False


@dataclass(frozen=True, kw_only=True)
class StageOne:
    """What it took, and what is there now."""

    found: StageOneResult
    teacher_image_size: int
    """Pixels a side."""
    rdm: tuple[str, ...] = ()
    """Targets of the RDMs."""
    rdm_samples_per_s: float | None = None
    """Samples of an epoch that trains all RDMs, a second; writing their outputs is not in it. None without RDMs."""
    rdm_bytes_per_sample: int = 0
    """Of the RDMs' targets."""


def measure_stage_one(spec: StageSpec, events: Events) -> StageOne:
    """Make the store in a process of its own, and say what that took.

    Raises:
        TeachonceError: As `embed` and `rdm`; or the process died.
    """
    with Process(f"{__name__}:_stage_one", name="stage one", mend=_FULL) as process:
        made: StageOne = process.ask(spec, events=events)
        return made


def _stage_one(events: Events, spec: StageSpec) -> StageOne:
    with limited_threads(spec.threads):
        return _made(spec, events)


def _made(spec: StageSpec, events: Events) -> StageOne:
    device = pick_device(spec.device)
    heard = _WithoutAccuracy(events) if is_built_in(spec.teacher) else events
    classes = replace(spec.data, limit=spec.rows[0]).open().classes
    # without a seed: a teacher of random weights then is the one that the live arm loads
    teacher = load_teacher(
        spec.teacher, classes=classes, dtype=spec.teacher_dtype, trust_remote_code=spec.trust_remote_code
    )
    rows = _enough_rows(spec, teacher)
    reset_peak(device)
    done = _embed(spec, teacher, spec.store, rows, heard)
    peak = peak_memory_bytes(device)
    size = describe(spec.store)["bytes_per_sample"]
    names, rate = _rdms(spec, rows, events) if spec.distortion_weight else ((), None)
    targets = describe(spec.store)["targets"]
    return StageOne(
        found=StageOneResult(
            rows=rows,
            seconds=done.seconds,
            samples_per_s=done.samples_per_s,
            bytes_per_sample=size,
            peak_memory_bytes=peak,
        ),
        teacher_image_size=teacher.info.input.height,
        rdm=names,
        rdm_samples_per_s=rate,
        rdm_bytes_per_sample=sum(targets[name]["bytes_per_sample"] for name in names),
    )


def _enough_rows(spec: StageSpec, teacher: Teacher) -> int:
    """Warm up on some rows, then more of them, until so many are known that take some seconds.

    With few, what a pass costs whatever its rows (files and their fsync) would be multiplied out to a whole epoch.
    """
    least, most = spec.rows
    rows = min(least, _WARM_UP)
    with tempfile.TemporaryDirectory(dir=spec.store.parent) as folder:
        while True:
            done = _embed(spec, teacher, Path(folder) / f"{rows}.zarr", rows, SILENT)
            wanted = max(least, min(most, int(_SECONDS * done.samples_per_s)))
            if wanted <= 4 * rows or least == most:
                return wanted
            rows = wanted


def _embed(spec: StageSpec, teacher: Teacher, store: Path, rows: int, events: Events) -> EmbedResult:
    return embed(
        teacher=teacher,
        data=replace(spec.data, limit=rows).open(),
        store=store,
        device=spec.device,
        precision=spec.precision if teacher.info.dtype == "float32" else "auto",
        tf32=spec.tf32,
        workers=spec.workers,
        events=events,
    )


def _rdms(spec: StageSpec, rows: int, events: Events) -> tuple[tuple[str, ...], float]:
    """Train them, after others that nobody reads: the first steps of a process are no measure."""
    weights, batch = spec.distortion_weight, min(_RDM_BATCH, max(1, rows // 2))
    others = [max(weights) * (2 + index) for index in range(len(weights))]
    _train_rdms(spec, others, batch, epochs=1, events=SILENT)
    rate = _train_rdms(spec, weights, batch, epochs=math.ceil(_RDM_STEPS * batch / rows), events=events)
    return tuple(rdm_name(weight) for weight in weights), rate


def _train_rdms(spec: StageSpec, weights: Sequence[float], batch: int, *, epochs: int, events: Events) -> float:
    done = rdm(
        store=spec.store,
        distortion_weight=weights,
        preset=spec.rdm_preset,
        epochs=epochs,
        batch_size=batch,
        device=spec.device,
        events=events,
    )
    return done.samples_per_s


class _WithoutAccuracy(Silent):
    """Leaves warnings out: of a teacher with random weights they say that it knows nothing.

    Args:
        events: Hear all else.
    """

    def __init__(self, events: Events) -> None:
        self._events = events

    @contextmanager
    def task(self, title: str, *, total: int, done: int = 0, unit: str = "rows") -> Iterator[Task]:
        """See Events.task."""
        with self._events.task(title, total=total, done=done, unit=unit) as task:
            yield task

    def info(self, text: str) -> None:
        """See Events.info."""
        self._events.info(text)

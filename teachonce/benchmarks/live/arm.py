"""An arm: one way to make steps, in a process of its own, whose memory figures are its alone. The parent's end."""

import tempfile
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Literal, Self, get_args

from teachonce.benchmarks.live.data import DataSpec
from teachonce.events import SILENT, Events
from teachonce.options.train import TrainOptions
from teachonce.processes.process import Process
from teachonce.processes.template import Template

Kind = Literal["student-only", "constant", "cached", "live"]
ARMS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class ArmSpec:
    """What an arm is made from. The same `config` may be given to all arms of a method."""

    kind: Kind
    """`student-only`: method ce on the store's views. `constant`: the method with one batch's targets for every batch.
    `cached`: it reads the store. `live`: it runs the teacher on the store's views."""
    config: TrainOptions
    """With the store, and for `live` the teacher; what an arm does not use of it, it leaves out."""
    data: DataSpec
    epoch_rows: int | None = None
    """Rows of the epoch that the data stand for: cached targets are kept where theirs would be."""
    threads: int | None = None
    """CPU threads; None: torch's own choice."""
    wrap: str | None = None
    """`package.module:function`, called with the `Work` of the child once it is built; a meter's own test."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """What an arm is, once it has made its first steps. Bytes are of what stays between steps."""

    device: str
    """`cpu`, or the GPU's name."""
    precision: str
    threads: int
    rows: int
    """Rows that train."""
    steps_per_epoch: int
    image_size: int
    """Pixels a side that the student sees."""
    teacher_image_size: int | None
    """Pixels a side that the live teacher sees; None where none runs."""
    parameter_bytes: int
    """Of all that is trained, buffers included."""
    gradient_bytes: int
    """While they are there; between steps they are not."""
    optimiser_bytes: int
    teacher_bytes: int
    """Parameters and buffers of the live teacher, and of RDMs that run live; else 0."""
    image_bytes: int
    """Of images that are kept in memory, wherever `images` says."""
    images: str
    """`device` or `host` memory, or `streamed`."""
    target_bytes: int
    """Of cached targets that are kept on the device."""
    targets: str
    """`device` memory, or `mapped` where they are read from the store's files; `none`: it has none that vary by row."""
    host_budget_bytes: int
    """What the engine would have given decoded images in the host's memory, before the training was opened."""
    device_budget_bytes: int
    """The same of the device's memory."""
    reports_energy: bool
    keeps_freed: bool
    """Whether its process keeps what it frees; see `heap`."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes, as the meter of the device has them."""

    meter: Literal["cuda allocator", "tensors"]
    """`tensors`: the bytes of the tensors of the process, on a CPU."""
    allocated_bytes: int
    """Between two steps."""
    workspace_bytes: int
    """Of `allocated_bytes`, what CUDA's matrix products keep; 0 on a CPU."""
    peak_memory_bytes: int
    """The most during a step."""
    teacher_peak_bytes: int | None
    """What the live teacher's bare forward takes beyond `allocated_bytes`, at its most; None where none runs."""
    host_memory_bytes: int
    """The most resident memory that the process ever had, all that a training has included; see `host_memory_bytes`."""


class Arm:
    """An arm's process, as a context manager: it starts with the body and is gone after it, however that ends.

    If we are killed, it ends too; see `Process`.

    Every verb waits for its answer and raises what the child raised: the class, message and mend of a TeachonceError.
    One thread asks an arm at a time.

    Args:
        spec: What it is made from.
        events: Hears the child's notes and warnings.
        template: What its process is forked from; all arms that are compared have the same.
    """

    def __init__(self, spec: ArmSpec, *, events: Events = SILENT, template: Template | None = None) -> None:
        self.spec, self._events, self._template = spec, events, template
        self._process: Process | None = None
        self._said: IO[bytes] | None = None

    @property
    def name(self) -> str:
        """Its kind."""
        return self.spec.kind

    def __enter__(self) -> Self:
        self._said = tempfile.TemporaryFile()
        self._process = Process(
            "teachonce.benchmarks.live.work:Answers",
            name=f"arm {self.name}",
            log=self._said,
            template=self._template,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def build(self) -> None:
        """Build the training, which looks at how much memory is free and takes what it keeps there.

        Raises:
            TeachonceError: As `train`; or the process ended, or out of memory.
        """
        self._ask("build")

    def ready(self, warm_up: int = 2) -> Ready:
        """Make the first steps, which compile where that was asked for; of a training that is built, if not before.

        Args:
            warm_up: Steps, at least 1: the optimiser has its state from the first.

        Raises:
            TeachonceError: As `train`; or the process ended, or out of memory.
        """
        return self._ask("ready", warm_up=warm_up)  # type: ignore[no-any-return]

    def run(self, steps: int, lead: int = 1) -> float:
        """Milliseconds a step, the mean of `steps`; the device is waited for before and after.

        Args:
            steps: Steps that count.
            lead: Steps before them that do not: the processor's caches hold another arm's data.
        """
        return self._ask("run", steps=steps, lead=lead)  # type: ignore[no-any-return]

    def parts(self, steps: int, lead: int = 1) -> dict[str, float]:
        """Milliseconds a step of each part (see `records.PARTS`); together they are the step."""
        return self._ask("parts", steps=steps, lead=lead)  # type: ignore[no-any-return]

    def teacher(self, steps: int, lead: int = 1) -> float:
        """Milliseconds of the live teacher's bare forward on a batch that is rendered already; of live arms only."""
        return self._ask("teacher", steps=steps, lead=lead)  # type: ignore[no-any-return]

    def memory(self, steps: int = 2) -> Memory:
        """What is allocated between steps, and at most during one of `steps`."""
        return self._ask("memory", steps=steps)  # type: ignore[no-any-return]

    def energy(self, seconds: float = 3.0) -> float | None:
        """Joules a step of the whole device, over steps of so many seconds; None where it does not report them."""
        return self._ask("energy", seconds=seconds)  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the process, which has nothing to keep, and its helpers."""
        if self._process is not None and self._said is not None:
            self._process.close(at_once=True)
            self._said.close()

    def _ask(self, verb: str, **options: Any) -> Any:
        assert self._process is not None, "an arm works inside its `with`"
        return self._process.ask(self.spec, verb, options, events=self._events)

"""The JSON of `bench live`: a case with its methods and their arms, or a sweep of several cases.

What may be None, or has a default, is not in files of all versions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from teachonce.benchmarks.live.payoff import Costs, Payoff
from teachonce.benchmarks.origin import Head, Origin
from teachonce.bounds import Above, Count, NotBelow, Positive
from teachonce.methods.clip_embed_kd import MEMORY_CLAIM, TIME_CLAIM
from teachonce.records import REST, SPARSE, key, parse

PARTS = ("data", "transfer", "teacher", "student_forward", "loss", "backward", "optimiser")
"""The parts of a step, in its order.

`data`: drawing, decoding and rendering the batch, on the host or the device. `transfer`: bringing rows, labels and
pixels to the device, and reading the cache's targets. `teacher`: the live teacher's forward, and of RDMs that run live.
"""
Size = Annotated[Count | None, SPARSE]
Whole = Annotated[Positive | None, SPARSE]
Number = Annotated[NotBelow | None, SPARSE]
Word = Annotated[str | None, SPARSE]
Ratio = Annotated[Above | None, SPARSE]
Share = Annotated[float | None, SPARSE]


@dataclass(frozen=True, kw_only=True)
class _Open:
    others: Annotated[Mapping[str, object], REST] = field(default_factory=dict)
    """What only other versions write: a file that is gone on with keeps it."""


@dataclass(frozen=True, kw_only=True)
class Quartiles:
    """Of the rounds."""

    low: NotBelow
    high: NotBelow


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Images, or cached targets, that are kept."""

    where: str
    """`device`, `host`, `mapped`, `streamed` or `none`."""
    bytes: Count
    """On the device."""


Place = Annotated[Placed | None, SPARSE]


@dataclass(frozen=True, kw_only=True)
class ArmResult(_Open):
    """What was measured of an arm. Bytes are of the meter that the case names."""

    step_ms: Above
    spread: Annotated[Quartiles | None, SPARSE] = None
    """Of `step_ms`."""
    steps: Whole = None
    """Of a turn."""
    samples_per_s: Number = None
    epoch_s: Above
    allocated_bytes: Size = None
    """Between steps; as the two below."""
    allocated_bytes_at_epoch: Size = None
    """With an epoch's images and targets in the place of the few that are measured."""
    allocated_bytes_without_data: Size = None
    images: Place = None
    images_at_epoch: Place = None
    targets: Place = None
    targets_at_epoch: Place = None
    workspace_bytes: Size = None
    """Of `allocated_bytes`, what CUDA's matrix products keep."""
    peak_memory_bytes: Size = None
    host_memory_bytes: Size = None
    """The most resident memory of the process."""
    energy_j: NotBelow | None = None
    """Of a step; None where the device does not report it."""
    parts_ms: Mapping[str, NotBelow] = field(default_factory=dict)
    """Of a step, by its PARTS."""


@dataclass(frozen=True, kw_only=True)
class Arms(_Open):
    """The arms of a method; see `ArmSpec`."""

    student_only: Annotated[ArmResult | None, key("student-only"), SPARSE] = None
    constant: Annotated[ArmResult | None, SPARSE] = None
    cached: ArmResult
    live: ArmResult

    @property
    def each(self) -> dict[str, ArmResult]:
        """By name, those that were measured."""
        bare = {"student-only": self.student_only, "constant": self.constant}
        found = {name: arm for name, arm in bare.items() if arm is not None}
        return {**found, "cached": self.cached, "live": self.live}


@dataclass(frozen=True, kw_only=True)
class LiveCheck:
    """Whether the live arm takes as long as its parts: the teacher's forward pass and the student's step."""

    ratio: float
    """To these two together."""
    limit: float
    within: bool = True

    @property
    def is_too_slow(self) -> bool:
        """Whether its ratio to the cache is exaggerated."""
        return self.ratio > self.limit

    @property
    def is_too_fast(self) -> bool:
        """Whether it is faster than its parts, beyond the tolerance, which other work must have caused."""
        return not self.within and not self.is_too_slow


@dataclass(frozen=True, kw_only=True)
class TimeResult:
    """Ratios of the times of a step: medians of the rounds' own."""

    speedup: Above
    """live/cached."""
    overhead_cache: Ratio = None
    """cached/constant: what reading the cache costs."""
    overhead_loss: Ratio = None
    """constant/student-only: what the loss costs."""
    time_ceiling: Ratio = None
    """(teacher + constant)/constant; see `ceilings.time_ceiling`."""
    share_of_limit: Share = None
    """speedup/time_ceiling: how much of what a cache could save was saved."""
    live_check: Annotated[LiveCheck | None, SPARSE] = None
    spread: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Ratio -> its quartiles."""

    @property
    def speedup_spread(self) -> tuple[float, float]:
        """The quartiles of `speedup`."""
        return self.spread.get("speedup", (self.speedup, self.speedup))


@dataclass(frozen=True, kw_only=True)
class MemoryResult:
    """Ratios of memory, between steps but where `peak` is said; see `ArmResult` for `at_epoch` and `without_data`."""

    memory_ratio: Ratio = None
    """live/cached."""
    peak_memory_ratio: Ratio = None
    memory_overhead_cache: Ratio = None
    """cached/constant."""
    memory_ratio_at_epoch: Ratio = None
    memory_ceiling_at_epoch: Ratio = None
    memory_overhead_cache_at_epoch: Ratio = None
    memory_ratio_without_data: Ratio = None
    memory_ceiling: Ratio = None
    """See `ceilings`."""
    share_of_memory_limit: Share = None
    peak_memory_ceiling: Ratio = None
    share_of_peak_memory_limit: Share = None

    @property
    def memory_ratio_of_epoch(self) -> float | None:
        """live/cached, with the data of an epoch where that is known."""
        return self.memory_ratio if self.memory_ratio_at_epoch is None else self.memory_ratio_at_epoch

    @property
    def memory_ceiling_of_epoch(self) -> float | None:
        """The ceiling of the same."""
        return self.memory_ceiling if self.memory_ceiling_at_epoch is None else self.memory_ceiling_at_epoch


@dataclass(frozen=True, kw_only=True)
class _Arms(_Open):
    live_method: Word = None
    """Of the live arm: another one for clip-embed-kd."""
    rdm: tuple[str, ...] = ()
    rdm_s: NotBelow = 0.0
    """Training RDMs and writing their outputs."""
    arms: Arms


@dataclass(frozen=True, kw_only=True)
class _Cost:
    stage_one_s: NotBelow
    store_bytes: int | NotBelow
    """Both with the rows of an epoch."""


@dataclass(frozen=True, kw_only=True)
class MethodResult(Payoff, _Cost, MemoryResult, TimeResult, _Arms):  # the fields of the last base come first
    """What was measured of a method."""

    verdict: str
    """One sentence."""

    @property
    def claims(self) -> dict[str, bool]:
        """Whether it reaches what the CLIP-Embed-KD paper says in one figure: so many times less memory and time.

        Its memory is by all signs what is allocated between steps. As this engine trains, an epoch's images lie there
        too, and they are the larger part: `memory_9x`. Without any data there, as where images are streamed, models
        and optimiser alone are compared, which is what the paper's own code keeps: `memory_9x_without_data`. At the
        peak of a step activations are in it: `memory_9x_at_peak`.
        """
        return {
            "memory_9x": (self.memory_ratio_of_epoch or 0) >= MEMORY_CLAIM,
            "memory_9x_without_data": (self.memory_ratio_without_data or 0) >= MEMORY_CLAIM,
            "memory_9x_at_peak": (self.peak_memory_ratio or 0) >= MEMORY_CLAIM,
            "time_8x": self.speedup >= TIME_CLAIM,
        }


@dataclass(frozen=True, kw_only=True)
class StageOneResult:
    """The pass of the teacher over the rows of the benchmark."""

    rows: Positive
    seconds: NotBelow
    """From the first row read to the seal, the disk included."""
    samples_per_s: NotBelow
    bytes_per_sample: Count
    """Of the store, without RDMs."""
    peak_memory_bytes: Count | None = None
    """Of the device; None on a CPU."""


@dataclass(frozen=True, kw_only=True)
class _Preset(Head):
    preset: str | None = None
    device: Word = None


@dataclass(frozen=True, kw_only=True)
class Frame(Origin, _Preset):  # the fields of the last base come first
    """What is the same for all cases of a call."""

    format: Literal[1] = 1
    kind: str = "teachonce.bench-live"


Settings = Annotated[Mapping[str, object] | None, SPARSE]
"""Of a file: what must be the same when it goes on."""


@dataclass(frozen=True, kw_only=True)
class CaseResult(Frame, _Open):
    """A case at one batch size, precision and compile setting."""

    case: str | None = None
    """Of a preset."""
    teacher: str
    teacher_image_size: Whole = None
    student: str
    image_size: Whole = None
    data: Word = None
    """What the data are, for people."""
    batch_size: Positive
    precision: str
    teacher_dtype: Word = None
    """None: of a version that had float32 only."""
    tf32: bool = False
    compile: bool = False
    rounds: Positive = 1
    starts: Positive = 1
    steps: Positive = 1
    """The fewest of an arm's turn."""
    threads: Whole = None
    keeps_freed: Annotated[bool | None, SPARSE] = None
    """See `heap`."""
    seed: Size = None
    rows: Whole = None
    epoch_rows: Whole = None
    epochs: Positive
    """Of one student."""
    memory_meter: Word = None
    teacher_forward_ms: Number = None
    stage_one: Annotated[StageOneResult | None, SPARSE] = None
    methods: Mapping[str, MethodResult]
    warnings: tuple[str, ...] = ()
    settings: Settings = None

    def __post_init__(self) -> None:
        """Something was measured."""
        if not self.methods:
            raise ValueError("it has no method")

    @property
    def title(self) -> str:
        """Its name in the preset; else teacher and student."""
        return self.case or f"{self.teacher} to {self.student}"

    @property
    def each(self) -> tuple["CaseResult", ...]:
        """It alone."""
        return (self,)

    def costs(self, method: str) -> Costs:
        """The seconds of one of its methods."""
        found = self.methods[method]
        return Costs(
            stage_one_s=found.stage_one_s,
            rdm_s=found.rdm_s,
            cached_epoch_s=found.arms.cached.epoch_s,
            live_epoch_s=found.arms.live.epoch_s,
            epochs=self.epochs,
        )


@dataclass(frozen=True, kw_only=True)
class SweepResult(Frame, _Open):
    """Several cases."""

    cases: tuple[CaseResult, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Case -> why it could not be measured."""
    claims: Annotated[Mapping[str, tuple[str, ...]] | None, SPARSE] = None
    """See `claims_of`."""
    settings: Settings = None

    def __post_init__(self) -> None:
        """Something was measured."""
        if not self.cases:
            raise ValueError("it has no case")

    @property
    def each(self) -> tuple[CaseResult, ...]:
        """The cases, each with its device."""
        return tuple(replace(case, device=case.device or self.device) for case in self.cases)


def live_result(value: Mapping[str, object], name: str, *, mend: str) -> CaseResult | SweepResult:
    """The result in a JSON object of `bench live`; see `parse`.

    Raises:
        CorruptError: Names the first entry that is missing, or of another type.
    """
    return parse(SweepResult, value, name, mend=mend) if "cases" in value else parse(CaseResult, value, name, mend=mend)

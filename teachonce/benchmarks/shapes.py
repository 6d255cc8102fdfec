"""The JSON of benchmarks, by its types: what a reader needs; what may be missing has a default.

Some are printed by `scripts/bench.py`; `bench-step` is of a command that was removed, and stays readable.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from teachonce.engine.shapes import Count, MachineJson, Positive, Shape

Number = Annotated[float, Field(allow_inf_nan=False)]
Above = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotBelow = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Plain = str | bool | int | float | None


class _Origin(Shape):
    """What all of them say of themselves; see `Origin`."""

    machine: MachineJson | None = None
    versions: dict[str, str] | None = None
    command: str | list[str] | None = None
    device: str | None = None
    warnings: list[str] | None = None


class _Quartiles(Shape):
    low: NotBelow
    high: NotBelow


class _Arm(Shape):
    step_ms: Above
    spread: _Quartiles | None = None
    samples_per_s: NotBelow | None = None
    epoch_s: Above
    allocated_bytes: Count | None = None
    peak_memory_bytes: Count | None = None
    host_memory_bytes: Count | None = None
    energy_j: NotBelow | None = None
    parts_ms: dict[str, NotBelow] | None = None


class _Arms(Shape):
    student_only: _Arm | None = Field(default=None, alias="student-only")
    constant: _Arm | None = None
    cached: _Arm
    live: _Arm


class _Check(Shape):
    ratio: Number
    limit: Number
    within: bool = True


class _Paid(Shape):
    """Epochs until break-even; None: never, and then the live teacher is better."""

    break_even_epochs: NotBelow | None
    pays: Literal["cached", "live"]

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.pays == "cached" and self.break_even_epochs is None:
            raise ValueError("the cache is better for one student, and break_even_epochs says that it never is")
        return self


class Method(_Paid):
    """A method of a case of `bench live`."""

    live_method: str | None = None
    rdm: list[str] | None = None
    rdm_s: NotBelow | None = None
    arms: _Arms
    speedup: Above
    memory_ratio: Above | None = None
    peak_memory_ratio: Above | None = None
    memory_ratio_at_epoch: Above | None = None
    memory_ratio_without_data: Above | None = None
    overhead_cache: Above | None = None
    overhead_loss: Above | None = None
    memory_overhead_cache: Above | None = None
    memory_overhead_cache_at_epoch: Above | None = None
    time_ceiling: Above | None = None
    memory_ceiling: Above | None = None
    memory_ceiling_at_epoch: Above | None = None
    peak_memory_ceiling: Above | None = None
    share_of_limit: Number | None = None
    share_of_memory_limit: Number | None = None
    share_of_peak_memory_limit: Number | None = None
    live_check: _Check | None = None
    spread: dict[str, Annotated[list[Number], Field(min_length=2, max_length=2)]] | None = None
    stage_one_s: NotBelow
    store_bytes: NotBelow
    break_even_students: NotBelow | None = None
    verdict: str


class Case(_Origin):
    """A case of `bench live`."""

    case: str | None = None
    teacher: str
    student: str
    batch_size: Positive
    precision: str
    teacher_dtype: str | None = None
    tf32: bool = False
    compile: bool = False
    rounds: Positive | None = None
    starts: Positive | None = None
    steps: Positive | None = None
    epochs: Positive
    memory_meter: str | None = None
    methods: Annotated[dict[str, Method], Field(min_length=1)]


class Sweep(_Origin):
    """Several cases of `bench live`."""

    cases: Annotated[list[Case], Field(min_length=1)]


class _Student(_Paid):
    student: str
    method: str
    epochs: Positive
    cached_step_ms: NotBelow
    live_step_ms: NotBelow


class _Cost(Shape):
    views: Positive
    dtype: str
    store_bytes: Count
    seconds: NotBelow
    limit: str


class EstimateShape(_Origin):
    """See `Estimate`."""

    verdict: str
    teacher: str
    rows: Positive
    views: Positive
    dtype: str
    seconds: NotBelow
    samples_per_s: NotBelow
    store_bytes: Count
    limit: str
    peak_memory_bytes: Count | None
    host_memory_bytes: Count
    device: str
    student: _Student | None = None
    table: list[_Cost]


class _Paper(Shape):
    macs: Above | None = None
    ratio: Above | None = None
    text: str | None = None


class _Constants(Shape):
    macs: NotBelow


class _Scheme(Shape):
    name: str
    label: str
    parts: dict[str, NotBelow]
    macs: Above
    paper: _Paper | None = None
    by_paper_constants: _Constants | None = None
    why: str | None = None


class _Network(Shape):
    name: str
    role: str
    macs: NotBelow
    paper: NotBelow | None = None


class MacsShape(_Origin):
    """Of `scripts/bench_macs.py`."""

    preset: str
    reference: str
    counting: str
    schemes: list[_Scheme]
    networks: list[_Network]
    settings: dict[str, int | float | list[Plain]]

    @model_validator(mode="after")
    def _reference_is_there(self) -> Self:
        if self.reference not in {scheme.name for scheme in self.schemes}:
            raise ValueError(f"reference {self.reference!r} is no scheme")
        return self


class _Ratio(Shape):
    median: Number
    low: Number
    high: Number


class _PartArm(Shape):
    step_ms: NotBelow | None
    spread_ms: NotBelow | None = None


class _Part(_Origin):
    """What is shown of a single part: words, numbers, lists of them, and ratios."""

    model_config = ConfigDict(strict=True, extra="allow")

    @model_validator(mode="after")
    def _values_can_be_shown(self) -> Self:
        for value in (self.model_extra or {}).values():
            if isinstance(value, dict) and {"median", "low", "high"} <= value.keys():
                _Ratio.model_validate(value)
        return self


class StepShape(_Part):
    """Steps from the cache, with constant targets, by `ce` alone and with the live teacher, taking turns."""

    arms: dict[str, _PartArm]
    speedup: dict[str, Any]


class EmbedShape(_Part):
    """Of `scripts/bench_embed.py`."""

    ratio: dict[str, Any]


class RdmShape(_Part):
    """Of `scripts/bench_rdm.py`."""

    arms: dict[str, _PartArm]
    rdm_over_teacher: dict[str, Any]


SHAPES: dict[str, Any] = {
    "estimate": EstimateShape,
    "bench-macs": MacsShape,
    "bench-step": StepShape,
    "bench-embed": EmbedShape,
    "bench-rdm": RdmShape,
}
"""By kind; a `bench live` is a Case, or with the key `cases` a Sweep."""


def shape_of(kind: str, value: dict[str, Any]) -> Any:
    """The shape of a benchmark's JSON.

    Args:
        kind: Without `teachonce.`; one of SHAPES, or `bench-live`.
        value: The JSON.
    """
    return SHAPES.get(kind) or (Sweep if "cases" in value else Case)

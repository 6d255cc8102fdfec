"""The JSON of a run's folder, by its types: what may be missing has a default, all else is refused where it is read."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from teachonce.intervals import unpacked
from teachonce.types import EARLY, Resizing
from teachonce.validation import ViewJson

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Scalar = str | bool | int | float | None


class Shape(BaseModel):
    """An object of JSON; keys that are not declared are not looked at."""

    model_config = ConfigDict(strict=True)


class _Extras(Shape):
    """Targets beside the main one: `names`, with commas, and an object for each."""

    model_config = ConfigDict(strict=True, extra="allow")

    names: str

    @model_validator(mode="after")
    def _each_is_there(self) -> Self:
        told = self.model_extra or {}
        for name in self.names.split(","):
            if not isinstance(told.get(name), dict) or not isinstance(told[name].get("target"), str):
                raise ValueError(f"{name!r} has no target")  # noqa: TRY004 - which pydantic takes
        return self


class _StoreContent(Shape):
    samples: str
    target: str | None = None
    content: str | None = None
    per_class: int | None = None
    rdm: _Extras | None = None
    assistants: _Extras | None = None


class _DataContent(Shape):
    rows: Positive
    identities: str
    labels: str | None = None


class SettingsJson(Shape):
    """What tells a run from others; see `identify`."""

    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, Scalar | list[int | float]] = Field(init=False)

    student: str
    method: str
    settings: dict[str, Scalar] = {}
    source: Literal["cached", "live"]
    data: _DataContent
    store: _StoreContent | None = None
    teacher: str | None = None
    epochs: Positive
    batch_size: Positive
    milestones: list[int] | None = None
    seed: Count


class MachineJson(Shape):
    """See `this_machine`."""

    processor: str | None = None
    cores: int | None = None
    memory_bytes: Count | None = None
    platform: str | None = None
    gpus: list[str] | None = None


class _Rows(Shape):
    train: Count
    val: Count
    left_out: Count = 0


class _Origin(Shape):
    path: str
    target: str
    teacher: str | None = None


class _Teacher(Shape):
    weights: str


class _Initial(Shape):
    source: str


class RunJson(Shape):
    """A run.json; see `describe`."""

    settings: SettingsJson
    student: str = ""
    init: _Initial | None = None
    macs: Positive = 1
    classes: Positive
    class_names: list[str] | None
    view: ViewJson
    resizing: Resizing = EARLY
    targets: Literal["none", "exact", "fixed-teacher"]
    data: dict[str, Any] = {}
    store: _Origin | None
    teacher: _Teacher | None
    rows: _Rows
    device: str = ""
    machine: MachineJson | None = None
    versions: dict[str, str] = {}
    command: list[str] | None = None

    @model_validator(mode="after")
    def _names_are_those_of_the_classes(self) -> Self:
        if self.class_names is not None and len(self.class_names) != self.classes:
            raise ValueError(f"{len(self.class_names)} class names for {self.classes} classes")
        return self


class RdmRunJson(Shape):
    """The run.json of RDMs in training, which are no run of a student."""

    rdms: dict[str, float]
    """Target -> the weight of its distortion."""
    settings: dict[str, Any]
    versions: dict[str, str] = {}


class ResultJson(Shape):
    """A result.json; see `TrainResult`."""

    epochs: Positive
    step_ms: float | None
    seconds: Annotated[float, Field(ge=0)]
    val_top1: Share | None
    peak_memory_bytes: Count | None
    host_memory_bytes: Count


class _Of(Shape):
    weights: str
    data: dict[str, Any]


class _Evaluated(Shape):
    top1: Share
    rows: Positive | None = None
    correct: str | None = None
    """See `EvaluateRunResult`; earlier versions did not write it."""

    @model_validator(mode="after")
    def _bits_are_of_the_accuracy(self) -> Self:
        if self.correct is not None:
            if self.rows is None:
                raise ValueError("the rows of its bits are not told")
            if unpacked(self.correct, self.rows).bit_count() != round(self.top1 * self.rows):
                raise ValueError("its bits are not of its accuracy")
        return self


class EvaluationJson(Shape):
    """An evaluation.json; see `write_evaluation`."""

    of: _Of
    result: _Evaluated
    time: str = ""
    machine: MachineJson | None = None
    versions: dict[str, str] | None = None
    command: str | list[str] | None = None


class MetricsLine(Shape):
    """A line of metrics.jsonl: numbers, by name."""

    model_config = ConfigDict(strict=True, extra="allow")
    __pydantic_extra__: dict[str, float | None] = Field(init=False)

    epoch: Positive
    rdms: dict[str, dict[str, float | None]] = {}
    """Of RDMs, in the place of the numbers of one student."""


class ProgressJson(Shape):
    """The state.json of a checkpoint; see `Progress`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    epoch: Count
    step: Count
    best_epoch: Count
    best: Annotated[list[float], Field(min_length=2, max_length=2)] | None


class RdmProgressJson(Shape):
    """The state.json of RDMs in training; see `teachonce.engine.rdm.fit.Progress`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    epoch: Count
    step: Count
    best_epoch: dict[str, Count]
    best: dict[str, list[float]]

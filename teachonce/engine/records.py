"""The records of a run's folder: run.json, result.json, metrics.jsonl, evaluation.json, a checkpoint's state.json."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from teachonce.bounds import CLOSED, Count, NotBelow, Positive, Share
from teachonce.intervals import unpacked
from teachonce.models.initial import Initial
from teachonce.records import REST, SPARSE, key
from teachonce.types import EARLY, EvalView, InputSpec, JsonObject, Resizing

Scalar = str | bool | int | float | None


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What computes. No host name and no path."""

    processor: str | None = None
    cores: int | None = None
    """Processors that this process may use."""
    memory_bytes: Count | None = None
    """Of the host, within the container's limit where there is one."""
    platform: str | None = None
    """Operating system, its release, the architecture."""
    gpus: tuple[str, ...] | None = None
    """Names, in CUDA's order."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a result is from."""

    machine: Annotated[Machine | None, SPARSE] = None
    versions: Annotated[Mapping[str, str] | None, SPARSE] = None
    """Of Python, and package -> version."""
    command: Annotated[str | tuple[str, ...] | None, SPARSE] = None
    """The words of a command line; a text where it is shown as it is."""


@dataclass(frozen=True, kw_only=True)
class Origin(Source):
    """What a run or an evaluation says of where it is from."""

    device: Annotated[str, SPARSE] = ""


@dataclass(frozen=True, kw_only=True)
class DataContent:
    """What tells data from other data."""

    rows: Positive
    identities: str
    """The digest of the identities of its rows."""
    labels: str | None = None


@dataclass(frozen=True, kw_only=True)
class TargetContent:
    """What tells a target from others: the fingerprint of its settings, the digest of its bytes."""

    target: str
    content: str | None = None


@dataclass(frozen=True, kw_only=True)
class Extras:
    """Targets that are read beside the main one."""

    names: str
    """In order, with commas."""
    logits: Annotated[str | None, SPARSE] = None
    targets: Annotated[Mapping[str, TargetContent], REST]

    def __post_init__(self) -> None:
        """Each name has its target."""
        for name in self.each:
            if name not in self.targets:
                raise ValueError(f"{name!r} has no target")

    @property
    def each(self) -> tuple[str, ...]:
        """The names."""
        return tuple(self.names.split(","))


@dataclass(frozen=True, kw_only=True)
class StoreContent:
    """What tells a store from others, as far as a run reads it."""

    samples: str
    target: Annotated[str | None, SPARSE] = None
    """Where it is read; as the two below."""
    content: Annotated[str | None, SPARSE] = None
    per_class: Annotated[int | None, SPARSE] = None
    rdm: Annotated[Extras | None, SPARSE] = None
    assistants: Annotated[Extras | None, SPARSE] = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What tells a run from others; see `identify`."""

    student: str
    method: str
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    """Of the method."""
    source: Literal["cached", "live"]
    data: DataContent
    store: StoreContent | None = None
    teacher: str | None = None
    epochs: Positive
    batch_size: Positive
    seed: Count
    others: Annotated[Mapping[str, Scalar | tuple[int | float, ...]], REST] = field(default_factory=dict)
    """The values of all other options."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """How many rows a run uses."""

    train: Count
    val: Count
    left_out: Count = 0


@dataclass(frozen=True, kw_only=True)
class StorePlace:
    """Where the store of a run lies, and which target it reads."""

    path: str
    target: str
    teacher: Annotated[str | None, SPARSE] = None
    """The name of the teacher of the target."""


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Of a teacher; see `TeacherInfo.fingerprint`."""

    weights: str
    others: Annotated[JsonObject, REST] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _RunFile(Origin):
    format: Literal[1] = 1
    kind: Literal["teachonce.run"] = "teachonce.run"


@dataclass(frozen=True, kw_only=True)
class RunRecord(_RunFile):
    """A run.json: `settings`, and all that evaluating or reusing the student needs; see `describe`."""

    settings: Settings
    student: str = ""
    init: Initial | None = None
    macs: Positive | None = None
    """Multiply-accumulates of the student's forward pass of one sample."""
    classes: Positive
    class_names: tuple[str, ...] | None
    input: InputSpec | None = None
    view: EvalView
    views: Positive | None = None
    resizing: Resizing = EARLY
    targets: Literal["none", "exact", "fixed-teacher"]
    """`exact`: of the view the student sees; `fixed-teacher`: of it without the student's augmentation."""
    data: JsonObject = field(default_factory=dict)
    """See `Samples.description`."""
    store: StorePlace | None
    teacher: Fingerprint | None
    """Of a live teacher."""
    rows: Rows

    def __post_init__(self) -> None:
        """Names are those of the classes."""
        if self.class_names is not None and len(self.class_names) != self.classes:
            raise ValueError(f"{len(self.class_names)} class names for {self.classes} classes")


@dataclass(frozen=True, kw_only=True)
class RdmRun(_RunFile):
    """The run.json of RDMs in training, which are no run of a student."""

    rdms: Mapping[str, float]
    """Target -> the weight of its distortion."""
    settings: JsonObject


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a training did; a result.json."""

    format: Literal[1] = 1
    run: str
    method: str
    source: str
    epochs: Positive
    step_ms: NotBelow | None
    """The median of a step in the steady state, data and targets included."""
    samples_per_s: NotBelow | None
    """In the steady state, validation not included."""
    peak_memory_bytes: Count | None
    """Of the device; None on a CPU, and with CUDA graphs, whose memory pool the allocator's peak does not see."""
    host_memory_bytes: Count
    """The process's own peak."""
    val_top1: Share | None
    """Share in [0, 1] of the best epoch; None without validation rows."""
    best_epoch: Count
    seconds: NotBelow
    """Of all epochs, validation not included."""
    train_rows: Count
    val_rows: Count
    reused: bool = False
    """The run was finished before, and nothing was done."""


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """A line of metrics.jsonl."""

    epoch: Positive
    """From 1."""
    step: Count | None = None
    """Steps done at its end."""
    lr: float | None = None
    losses: Annotated[Mapping[str, float | None], REST] = field(default_factory=dict)
    """`loss`, the weighted sum, and `loss_TERM` for each of its terms: means over the steps."""
    samples_per_s: float | None = None
    seconds: NotBelow | None = None
    step_ms: NotBelow | None = None
    """The median of its steps in the steady state."""
    val_top1: Share | None = None
    val_loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class RdmEpoch:
    """A line of metrics.jsonl of RDMs in training."""

    epoch: Positive
    step: Count | None = None
    seconds: NotBelow | None = None
    rdms: Mapping[str, Mapping[str, float | None]]
    """Of each: its losses, and its scores on the validation rows."""


@dataclass(frozen=True, kw_only=True)
class ClassAccuracy:
    """How good a student is at one class."""

    name: Annotated[str | int, key("class")]
    """Its number where it has no name."""
    rows: Count
    top1: Share | None
    """None without rows."""


@dataclass(frozen=True, kw_only=True)
class EvaluateRunResult:
    """How good a student is. Shares are in [0, 1]."""

    run: str
    top1: Share
    top5: Share
    loss: float
    """Mean cross-entropy in nats."""
    rows: Positive
    left_out: Count
    """Rows that could not be decoded, or have no label."""
    per_class: tuple[ClassAccuracy, ...]
    correct: str | None = None
    """A bit for each of `rows`, in the order of the data: whether it was right (see `intervals.packed`); None in files
    of earlier versions."""

    def __post_init__(self) -> None:
        """The bits are those of the accuracy."""
        if self.correct is not None and unpacked(self.correct, self.rows).bit_count() != round(self.top1 * self.rows):
            raise ValueError("its bits are not of its accuracy")


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """What an evaluation is of."""

    weights: str | None
    data: DataContent


@dataclass(frozen=True, kw_only=True)
class Evaluation(Origin):
    """An evaluation.json; see `write_evaluation`."""

    format: Literal[1] = 1
    of: Evaluated
    result: EvaluateRunResult
    time: str = ""


@dataclass(kw_only=True)
class Progress:
    """How far a run is: the state.json of its checkpoint."""

    __pydantic_config__: ClassVar = CLOSED

    epoch: Count = 0
    """Epochs done."""
    step: Count = 0
    best_epoch: Count = 0
    best: tuple[float, float] | tuple[float] | None = None
    """val_top1 and minus val_loss of the best epoch, without labels the latter alone; None without validation."""


@dataclass(kw_only=True)
class RdmProgress:
    """How far a training of RDMs is: the state.json of its checkpoint."""

    __pydantic_config__: ClassVar = CLOSED

    epoch: Count = 0
    """Epochs done."""
    step: Count = 0
    best_epoch: dict[str, Count] = field(default_factory=dict)
    """Of each RDM, from 1."""
    best: dict[str, list[float]] = field(default_factory=dict)
    """The rank of that epoch; see `Scores.rank`."""

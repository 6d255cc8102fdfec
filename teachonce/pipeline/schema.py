"""The tables of a recipe. Every key is an option of the command line; an absent one keeps the stage's default."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from teachonce.engine.rdm.names import rdm_name
from teachonce.types import TeacherDtype

Precision = Literal["auto", "float32", "bf16"]


class Table(BaseModel):
    """A table of the recipe: unknown keys and other types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def given(self) -> dict[str, Any]:
        """The keys that the recipe sets; all others keep the stage's default."""
        return self.model_dump(exclude_unset=True)


class DataTable(Table):
    """[data]: what to train on and what to test on."""

    train: str
    test: str | None = None
    """Absent: nothing is evaluated."""
    split: str | None = None
    test_split: str | None = None
    image_column: str | None = None
    label_column: str | None = None
    key_column: str | None = None
    limit: int | None = Field(default=None, ge=1)
    test_limit: int | None = Field(default=None, ge=1)


class TrainTable(Table):
    """One training after its lists are expanded: the options of `teachonce train`."""

    student: str
    init: str | None = None
    method: str = "ce"
    source: Literal["cached", "live"] = "cached"
    seed: int = 0
    target: str | None = None
    """In the store; absent: the [store] table's name."""
    rdm: str = ""
    """Targets of RDMs, such as `rdm-10,rdm-1`; none where it is empty."""
    rdm_logits: Literal["stored", "head"] = "stored"
    assistants: str = ""
    """Targets of assistants, such as `assistant-8,assistant-6`; none where it is empty."""
    set: dict[str, str | int | float | bool] = Field(default_factory=dict)
    name: str | None = None
    """Goes before the run's own name, to tell apart entries that would share it."""
    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=128, ge=1)
    lr: float = Field(default=1e-3, gt=0)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    weight_decay: float | None = Field(default=None, ge=0)
    momentum: float = Field(default=0.9, ge=0)
    schedule: Literal["cosine", "milestones", "constant"] = "cosine"
    warmup_epochs: float = Field(default=0, ge=0)
    milestones: list[int] = Field(default_factory=list)
    gamma: float = 0.1
    label_smoothing: float = Field(default=0.0, ge=0, le=1)
    clip_norm: float | None = None
    density_lr: float | None = Field(default=None, gt=0)
    val_fraction: float = Field(default=0.1, ge=0, lt=1)
    image_size: int | None = Field(default=None, ge=1)
    student_augment: str | None = None
    precision: Precision = "auto"
    tf32: bool = False
    compile: bool = False
    cuda_graphs: bool = False
    device: str | None = None
    workers: int | None = Field(default=None, ge=0)


class AssistantTable(TrainTable):
    """[[assistant]]: a training whose student is run over the data afterwards, as a target of the store."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """Of its run and of its target."""


class RdmTable(Table):
    """[[rdm]]: the options of `teachonce rdm`."""

    distortion_weight: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(min_length=1)
    """One RDM each; they are trained together."""
    target: str | None = None
    """What they are trained on; absent: the [store] table's name."""
    preset: Literal["cnn", "r34", "r50", "general"] = "general"
    hidden: int | None = Field(default=None, ge=1)
    activation: str = "relu"
    distortion: Literal["mse", "smooth-l1"] | None = None
    reduction: Literal["sum", "mean"] | None = None
    temperature: float = Field(default=2.0, gt=0)
    squared_temperature: bool = True
    ce_weight: float = Field(default=1.0, ge=0)
    kl_weight: float = Field(default=1.0, ge=0)
    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=256, ge=1)
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    schedule: Literal["cosine", "milestones", "constant"] = "cosine"
    warmup_epochs: float = Field(default=0, ge=0)
    milestones: list[int] = Field(default_factory=list)
    gamma: float = 0.1
    density_lr: float | None = Field(default=None, gt=0)
    val_fraction: float = Field(default=0.05, gt=0, lt=1)
    select: Literal["top1", "loss"] = "loss"
    dtype: Literal["float16", "bfloat16", "float32"] | None = None
    seed: int = 0
    device: str | None = None

    def names(self) -> list[str]:
        """The targets that it makes."""
        return [rdm_name(weight) for weight in self.distortion_weight]


class TeacherTable(Table):
    """[teacher]: a model that exists, or [teacher.train]: one that is trained on the spot."""

    model: str | None = None
    train: TrainTable | None = None
    teacher_dtype: TeacherDtype = "float32"
    teacher_device_map: str | None = None
    embedding: str = "auto"
    revision: str | None = None
    image_size: int | None = Field(default=None, ge=1)
    trust_remote_code: bool = False


class StoreTable(Table):
    """[store]: the options of `teachonce embed`."""

    path: str
    name: str = "teacher"
    views: int | None = Field(default=None, ge=1)
    augment: str | None = None
    dtype: Literal["float16", "bfloat16", "float32"] = "float16"
    batch_size: int | None = Field(default=None, ge=1)
    block_rows: int | None = Field(default=None, ge=1)
    per_class: int | Literal["all"] = 100
    max_failed: int = Field(default=0, ge=0)
    precision: Precision = "auto"
    tf32: bool = False
    seed: int = 0
    device: str | None = None
    workers: int | None = Field(default=None, ge=0)


class TuneTable(Table):
    """[tune]: how `teachonce tune` searches; `teachonce run` does not look at it."""

    trials: int = Field(default=8, ge=1)
    """Of each variant, the recipe's own values among them."""
    metric: Literal["val_top1", "val_loss"] = "val_top1"
    min_epochs: int | None = Field(default=None, ge=1)
    """No trial is pruned before; absent: a quarter of the epochs, rounded up."""
    reduction_factor: int = Field(default=2, ge=2)
    """One trial in so many goes on at each rung."""
    seed: int = Field(default=0, ge=0)
    """Of the proposals; the trainings have the recipe's first seed."""
    space: dict[str, Any] = Field(default_factory=dict)
    """Setting -> a list of choices, or {low, high, log}; in place of the default ranges."""


def _listed(given: object) -> object:
    """One text as a list of one, so that a wrong value is told of as one of `out`, not of either type."""
    return [given] if isinstance(given, str) else given


class ReportTable(Table):
    """[report]: what the run ends with; the options of `teachonce report`."""

    out: Annotated[list[str], BeforeValidator(_listed)]
    """Files that end in .html or .md."""
    title: str | None = None


class RunTable(Table):
    """[run]: where the runs go, and the machine for every step that names no other."""

    out: str | None = None
    device: str | None = None
    workers: int | None = Field(default=None, ge=0)
    threads: int | None = Field(default=None, ge=1)
    jobs: int | None = Field(default=None, ge=1)
    """How many trainings at once; absent: one."""

"""The tables of a recipe. Every key is an option of the command line; an absent one keeps the stage's default."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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
    method: str = "ce"
    source: Literal["cached", "live"] = "cached"
    seed: int = 0
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
    val_fraction: float = Field(default=0.1, ge=0, lt=1)
    image_size: int | None = Field(default=None, ge=1)
    student_augment: str | None = None
    precision: Precision = "auto"
    compile: bool = False
    cuda_graphs: bool = False
    device: str | None = None
    workers: int | None = Field(default=None, ge=0)


class TeacherTable(Table):
    """[teacher]: a model that exists, or [teacher.train]: one that is trained on the spot."""

    model: str | None = None
    train: TrainTable | None = None
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
    seed: int = 0
    device: str | None = None
    workers: int | None = Field(default=None, ge=0)


class RunTable(Table):
    """[run]: where the runs go, and the machine for every step that names no other."""

    out: str | None = None
    device: str | None = None
    workers: int | None = Field(default=None, ge=0)
    threads: int | None = Field(default=None, ge=1)

"""All that `train` can be told, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from teachonce.data.views import parse_augment
from teachonce.engine.optim import OptimConfig
from teachonce.errors import InputError
from teachonce.methods.base import METHODS, Method, make_method
from teachonce.models.placed import DeviceMap
from teachonce.models.precision import parse_teacher_dtype

Value = str | float | bool

PLACES = ("out", "device", "workers", "teacher_device_map", "trust_remote_code")
"""Fields of `TrainConfig` that do not tell runs apart: where a run lies, what computes it, whose code it may run."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training. Fields are named as the options; see `teachonce.stages.train.train`."""

    student: str
    out: Path
    init: str | None = None
    method: str = "ce"
    settings: Mapping[str, Value] = field(default_factory=dict)
    store: Path | None = None
    target: str = "teacher"
    rdm: tuple[str, ...] = ()
    rdm_logits: Literal["stored", "head"] = "stored"
    assistants: tuple[str, ...] = ()
    source: Literal["cached", "live"] = "cached"
    teacher: str | None = None
    teacher_dtype: str = "float32"
    teacher_device_map: str | None = None
    epochs: int = 10
    batch_size: int = 128
    optim: OptimConfig = field(default_factory=OptimConfig)
    label_smoothing: float = 0.0
    precision: str = "auto"
    tf32: bool = False
    compile: bool = False
    cuda_graphs: bool = False
    image_size: int | None = None
    student_augment: str | None = None
    val_fraction: float = 0.1
    seed: int = 0
    device: str | None = None
    workers: int | None = None
    trust_remote_code: bool = False

    def check(self) -> None:
        """Refuse what cannot be used, before anything is read.

        Raises:
            InputError: The first such setting.
        """
        for name, value in {"epochs": self.epochs, "batch_size": self.batch_size}.items():
            if value < 1:
                raise InputError(f"{name} must be at least 1, got {value}", f"Give another {name}")
        if not 0.0 <= self.val_fraction < 1.0:
            raise InputError(
                f"val_fraction must be at least 0 and below 1, got {self.val_fraction}", "Use 0.1, for example"
            )
        check_seed(self.seed)
        if self.source not in ("cached", "live"):
            raise InputError(f"unknown source {self.source!r}", "Use cached or live")
        parse_teacher_dtype(self.teacher_dtype)
        if self.teacher_device_map is not None:
            DeviceMap.parse(self.teacher_device_map)
        self.optim.check()
        parse_augment(self.student_augment)
        self._check_extras()
        self._check_teacher(self.make_method())

    @property
    def extras(self) -> tuple[str, ...]:
        """The targets beside the main one, in order."""
        return self.rdm + self.assistants

    def _check_extras(self) -> None:
        """Whether the method takes the targets beside the main one."""
        kind = METHODS.get(self.method)  # of an unknown one `make_method` tells
        for option, names in {"rdm": self.rdm, "assistants": self.assistants}.items():
            if names and kind and kind.takes != option:
                able = ", ".join(name for name, method in METHODS.items() if method.takes == option)
                message = f"method {self.method} takes no --{option}, got {', '.join(names)}"
                raise InputError(message, f"Leave --{option} out, or use --method {able}")
        if self.rdm_logits not in ("stored", "head"):
            raise InputError(f"unknown rdm_logits {self.rdm_logits!r}", "Use stored or head")
        if self.target in self.extras:
            raise InputError(f"target {self.target!r} is given twice", "Name it in --target alone")
        if self.source == "live" and self.assistants:
            mend = "Use the store: leave --source live out"
            raise InputError(f"method {self.method} reads its assistants from a store, and the source is live", mend)
        if self.rdm and self.store is None:
            raise InputError(
                "RDMs are read from a store, and none was given", "Add --store S, the store they were made in"
            )

    def _check_teacher(self, method: Method) -> None:
        """Whether the method can have its targets."""
        if not method.needs.teacher:
            return
        if self.source == "live" and self.teacher is None:
            raise InputError(f"method {self.method} from a live teacher needs the teacher", "Add --teacher T")
        if self.source == "cached" and self.store is None:
            mend = "Add --store S (made by `teachonce embed`), or --source live --teacher T"
            raise InputError(f"method {self.method} needs a teacher's targets, and no store was given", mend)

    def make_method(self) -> Method:
        """The method; label smoothing is one of its settings.

        Raises:
            InputError: An unknown method or setting, or a wrong value.
        """
        settings = dict(self.settings)
        if self.label_smoothing:
            if "label_smoothing" in settings:
                raise InputError("label_smoothing is given twice", "Use --label-smoothing alone")
            settings["label_smoothing"] = self.label_smoothing
        return make_method(self.method, settings, self.extras)


def check_seed(seed: int) -> None:
    """Refuse a seed that no generator takes, before anything is read.

    Raises:
        InputError: It is negative, or has more than 63 bits.
    """
    if not 0 <= seed < 1 << 63:
        raise InputError(f"seed must be at least 0 and below 2**63, got {seed}", "Give another seed")

"""All that `train` can be told, checked, and as the JSON that tells one run from another."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from teachonce.data.samples import Samples
from teachonce.data.views import parse_augment
from teachonce.digests import digest_bytes
from teachonce.engine.optim import OptimConfig
from teachonce.errors import InputError
from teachonce.methods.base import Method, make_method

Value = str | float | bool


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training. Fields are named as the options; see `teachonce.stages.train.train`."""

    student: str
    out: Path
    method: str = "ce"
    settings: Mapping[str, Value] = field(default_factory=dict)
    store: Path | None = None
    target: str = "teacher"
    source: Literal["cached", "live"] = "cached"
    teacher: str | None = None
    epochs: int = 10
    batch_size: int = 128
    optim: OptimConfig = field(default_factory=OptimConfig)
    label_smoothing: float = 0.0
    precision: str = "auto"
    compile: bool = False
    cuda_graphs: bool = False
    image_size: int | None = None
    student_augment: str | None = None
    val_fraction: float = 0.1
    seed: int = 0
    device: str | None = None
    workers: int | None = None

    def check(self) -> None:
        """Refuse what cannot be used, before anything is read.

        Raises:
            InputError: The first such setting.
        """
        for name, value in {"epochs": self.epochs, "batch_size": self.batch_size}.items():
            if value < 1:
                raise InputError(f"{name} must be at least 1, got {value}", f"Give another {name}")
        if not 0.0 <= self.val_fraction < 1.0:
            raise InputError(f"val_fraction must be at least 0 and below 1, got {self.val_fraction}", "Use 0.1, say")
        if self.source not in ("cached", "live"):
            raise InputError(f"unknown source {self.source!r}", "Use cached or live")
        self.optim.check()
        parse_augment(self.student_augment)
        self._check_teacher(self.make_method())

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
        return make_method(self.method, settings)


def identify(
    config: TrainConfig,
    method: Method,
    samples: Samples,
    *,
    digest: str,
    store: Mapping[str, Any] | None,
    precision: str,
) -> dict[str, Any]:
    """What a run is compared by when the same folder is named again.

    Where things lie, the device and the number of workers are not part of it.

    Args:
        config: The training.
        method: Its method.
        samples: Its data.
        digest: Of the identities of all rows.
        store: What the store holds, by fingerprint; None without one.
        precision: As it is used.
    """
    labels = None if samples.labels is None else f"{digest_bytes(samples.labels.tobytes()):016x}"
    optim = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(config.optim).items()}
    live = config.source == "live" and method.needs.teacher
    return {
        "student": config.student,
        "method": config.method,
        "settings": asdict(method.settings),
        "source": config.source,
        "data": {"rows": samples.rows, "digest": digest, "labels": labels},
        "store": store,
        "teacher": config.teacher if live else None,
        "epochs": config.epochs,
        "batch_size": config.batch_size,
        **optim,
        "weight_decay": config.optim.decay,
        "precision": precision,
        "compile": config.compile,
        "cuda_graphs": config.cuda_graphs,
        "image_size": config.image_size,
        "student_augment": config.student_augment,
        "val_fraction": config.val_fraction,
        "seed": config.seed,
    }
